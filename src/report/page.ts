/** The page: headline numbers, results, curves, samples, facts. All of it inline, so that one file is the report. */
import { duration, short } from '../log/format.js'
import { readings } from '../log/metric-names.js'
import { dotPlot } from './dot-plot.js'
import { runFigures } from './figures.js'
import { escapeHtml } from './html.js'
import { column, lastStep, type Run, stateOf } from './read.js'
import { readoutScript } from './script.js'
import { style } from './style.js'
import { gain, percent, resultTable } from './table.js'

/** The whole document. `samples` is the markup of the sample cards. */
export function page(run: Run, samples: string): string {
  const title = `${run.name}: training report`
  const figures = runFigures(run)
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escapeHtml(title)}</title><style>${style}</style></head><body><main>`,
    `<header><p class="kicker">vsgrpo training report</p><h1>${escapeHtml(run.name)}</h1>${lede(run)}</header>`,
    tiles(run),
    run.problems.map((problem) => `<p class="problem">${escapeHtml(problem)}</p>`).join(''),
    run.summary
      ? section('Results on questions never trained on', dotPlot(run.summary) + resultTable(run.summary))
      : '',
    section('Curves', figures ? `<div class="charts">${figures}</div>` : '<p>No step has been recorded yet.</p>'),
    samples ? section('Samples', samples) : '',
    section('The run', facts(run)),
    `</main><script>${readoutScript}</script></body></html>\n`,
  ].join('\n')
}

function section(title: string, content: string): string {
  return `<section><h2>${escapeHtml(title)}</h2>${content}</section>`
}

function lede(run: Run): string {
  const model = modelName(run.config)
  const parts = [
    model && `Model ${model}`,
    lastStep(run) > 0 && `${lastStep(run)} steps`,
    run.facts && duration(run.facts.seconds),
    stateOf(run),
    run.facts?.startedAt.slice(0, 10),
  ]
  return `<p class="lede">${parts
    .filter(Boolean)
    .map((part) => escapeHtml(String(part)))
    .join(' · ')}</p>`
}

function tiles(run: Run): string {
  const shown = [...resultTiles(run), ...curveTiles(run)]
  if (shown.length === 0) return ''
  return `<div class="tiles">${shown.map(([name, value]) => `<div><b>${value}</b><span>${escapeHtml(name)}</span></div>`).join('')}</div>`
}

/** Values are markup. */
function resultTiles(run: Run): [string, string][] {
  if (!run.summary) return []
  const overall = gain(run.summary, (result) => ({ ...result, count: result.count ?? run.summary?.heldOutQuestions }))
  const of = (wanted: string): string | undefined => {
    const found = run.summary?.results.find(({ name }) => name === wanted)
    return found && `${percent(found.result.accuracy)} %`
  }
  const [base, trained] = [of('base'), of('trained')]
  return [
    ...(base ? [['accuracy before', base] as [string, string]] : []),
    ...(trained ? [['accuracy after', trained] as [string, string]] : []),
    ...(overall
      ? [
          ['gain in points', `${overall.value > 0 ? '+' : ''}${percent(overall.value, overall.error)}`] as [
            string,
            string,
          ],
        ]
      : []),
  ]
}

/** The mean of the first and last tenth of the curve that was optimised, and the last KL. */
function curveTiles(run: Run): [string, string][] {
  const name = run.steps.some((row) => 'reward' in row) ? 'reward' : 'loss'
  const values = column(run.steps, name).y.filter(Number.isFinite)
  if (values.length === 0) return []
  const tenth = Math.max(1, Math.round(values.length / 10))
  const mean = (part: readonly number[]): number => part.reduce((sum, value) => sum + value, 0) / part.length
  const span = `${mean(values.slice(0, tenth)).toPrecision(3)} → ${mean(values.slice(-tenth)).toPrecision(3)}`
  const last = run.steps.at(-1) ?? {}
  const numbers = Object.fromEntries(
    Object.entries(last).flatMap(([key, value]) => (typeof value === 'number' ? [[key, value]] : [])),
  )
  const kl = readings(numbers).find(({ label }) => label === 'KL')
  return [
    [`${name}, first and last tenth`, span],
    ...(kl ? [['KL at the end', short(kl.value)] as [string, string]] : []),
  ]
}

function facts(run: Run): string {
  const rows: [string, string][] = []
  const add = (name: string, value: unknown): void => {
    if (value !== undefined && value !== '') rows.push([name, String(value)])
  }
  add('model', modelName(run.config))
  add('seed', run.summary?.seed ?? run.config.seed ?? nested(run.config, 'args', 'seed'))
  add('steps', run.facts ? `${lastStep(run)} of ${run.facts.totalSteps}` : lastStep(run))
  add('started', run.facts?.startedAt)
  add(
    'time',
    run.facts && `${duration(run.facts.seconds)}${run.facts.sessions > 1 ? ` in ${run.facts.sessions} sessions` : ''}`,
  )
  for (const [name, seconds] of Object.entries(run.summary?.seconds ?? {})) add(`seconds, ${name}`, short(seconds))
  add('held-out questions', run.summary?.heldOutQuestions)
  const machine = run.facts?.machine
  add('machine', machine && `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}`)
  for (const [name, version] of Object.entries(run.facts?.versions ?? {})) add(name, version)
  const table = rows
    .map(([name, value]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`)
    .join('')
  const config = JSON.stringify(run.config, null, 2)
  return `<table class="facts"><tbody>${table}</tbody></table><details><summary>Configuration</summary><pre>${escapeHtml(config)}</pre></details>`
}

function modelName(config: Run['config']): string {
  const model = config.model
  if (typeof model === 'string') return model
  return String(nested(config, 'model', 'path') ?? nested(config, 'model', 'dir') ?? '')
}

function nested(config: Run['config'], outer: string, inner: string): unknown {
  const value = config[outer]
  return typeof value === 'object' && value !== null ? Reflect.get(value, inner) : undefined
}
