/** The study's report, from results alone: the paper's table, what of the paper holds here, controls, curves, answers. */
import { join } from 'node:path'
import { writeAtomically } from '../../src/atomic-file.js'
import { taskLabels, taskNames } from '../../src/eval/index.js'
import { type Cell, isYardstick } from './cells.js'
import { type CurveName, curveNames } from './curves.js'
import { type Block, type Document, toHtml, toMarkdown } from './document.js'
import { averages, curveChart } from './figures.js'
import { controls, findings } from './findings.js'
import { type Line, type Study, studyOf } from './lines.js'
import { modes } from './modes.js'
import type { CellResult, Evaluation } from './result.js'
import { type Statistics, statisticsOf } from './statistics.js'
import { short } from './text.js'
import { type Tuned, tuned } from './tuning.js'
import type { Finding, Verdict } from './verdicts.js'

/** Writes report.html and report.md into `dir`; gives their paths. Throws RangeError where there is nothing to report. */
export function writeReport(dir: string, results: readonly CellResult[]): string[] {
  const study = studyOf(results)
  const document = describe(study, statisticsOf(study.rows, study.lines), tuned(results))
  const files = { 'report.html': toHtml(document), 'report.md': toMarkdown(document) }
  return Object.entries(files).map(([name, content]) => {
    writeAtomically(join(dir, name), content)
    return join(dir, name)
  })
}

function describe(study: Study, statistics: Statistics, choices: readonly Tuned[]): Document {
  const found = findings(study, statistics)
  const seen = study.lines.filter(
    ({ show, cell, asked }) => show === 'frames' && (asked === cell?.mode || cell?.method !== 'base'),
  )
  const atExamples = seen.filter(({ cell }) => cell?.budget === 'examples')
  const atCompute = seen.filter(
    ({ cell }) => cell && (cell.budget === 'compute' || cell.method === 'base' || isYardstick(cell)),
  )
  const blind = study.lines.filter(({ show }) => show !== 'frames')
  return {
    title: 'SFT, DPO and GRPO on rooms',
    lede: lede(study),
    blocks: [
      { kind: 'section', title: 'Which of the paper’s findings hold here' },
      { kind: 'text', text: judging },
      ...inWords(found),
      findingTable(found),
      { kind: 'section', title: 'At equal numbers of examples' },
      { kind: 'text', text: `Every method sees the same ${count(atExamples)} questions once. ${reading}` },
      resultTable(atExamples, statistics),
      { kind: 'figures', svg: [averages(withEstimates(atExamples, statistics))] },
      { kind: 'section', title: 'At equal compute' },
      { kind: 'text', text: budgeting },
      resultTable(atCompute, statistics),
      costTable(seen),
      { kind: 'section', title: 'Controls that cannot see' },
      { kind: 'text', text: blinding },
      resultTable(
        blind.filter(({ cell }) => cell?.budget !== 'compute'),
        statistics,
      ),
      findingTable(controls(study, statistics)),
      { kind: 'section', title: 'The form of the answers' },
      formTable(seen),
      ...curves(atExamples),
      { kind: 'section', title: 'Answers' },
      sampleTable(atExamples),
      ...tuningTable(choices),
      { kind: 'section', title: 'How it was made' },
      factTable(study),
    ],
  }
}

const judging =
  'The criteria were fixed before the results were seen. A difference counts only where zero lies outside both of its 95 % ' +
  'intervals: over test rooms (bootstrap over whole rooms, 1000 draws) and over seeds of the training (Student’s t). ' +
  'The paper trains Qwen2-VL-2B on scanned rooms; this is a model of two million weights on drawn ones, so that agreement ' +
  'says that a finding is robust, and disagreement that it depends on more than the method.'
const reading =
  'Points of 100 by VSI-Bench’s scorer; ± half of the 95 % interval over test rooms, and in the average ± that over seeds. ' +
  'Order is never trained, as in the paper. Route planning cannot be made from rooms.'
const budgeting =
  'Every method gets the arithmetic of GRPO with vanilla prompts and β 1e-4 (same seed), counted in floating-point ' +
  'operations rather than timed, so that budgets are the same on every machine; rooms come again where they run out.'
const blinding =
  'Blind: the best answers that other rooms of the same kind teach without a look at the one asked about. Grey: the same ' +
  'models on flat grey frames.'
const tuning =
  'Four rates for each method, a third of the steps, one seed that is not used elsewhere, scored on rooms that are neither ' +
  'trained on nor tested. The best of each is what the study uses.'

function lede({ results, size, rows }: Study): string {
  const seeds = new Set(results.filter(({ cell }) => cell.method !== 'base').map(({ cell }) => cell.seed)).size
  const hours = results.reduce((sum, { seconds }) => sum + seconds.train + seconds.evaluate, 0) / 3600
  return `${results.length} cells, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}, ${rows.length} questions about ${size.testRooms} rooms never trained on; ${hours.toFixed(1)} hours of training and evaluation.`
}

/** What holds and what does not, as sentences. */
function inWords(found: readonly Finding[]): Block[] {
  const leads: Readonly<Record<Verdict, string>> = {
    holds: 'Holds here',
    'does not hold': 'Does not hold here',
    undecided: 'Undecided',
    'not measured': 'Not measured in this form of the study',
  }
  return Object.entries(leads).flatMap(([verdict, lead]): Block[] => {
    const claims = found.filter((one) => one.verdict === verdict).map(({ claim }) => claim.replace(/ \([^)]*\)/g, ''))
    return claims.length === 0 ? [] : [{ kind: 'text', text: `${lead} (${claims.length}): ${claims.join(' ')}` }]
  })
}

function findingTable(found: readonly Finding[]): Block {
  return {
    kind: 'table',
    head: ['finding', 'here', 'measured', 'criterion'],
    rows: found.map(({ claim, verdict, seen, criterion }) => [claim, verdict, seen, criterion]),
  }
}

/** The paper's table: methods down, tasks across. */
function resultTable(lines: readonly Line[], statistics: Statistics): Block {
  const half = ([low, high]: readonly [number, number]) => `±${short((high - low) / 2)}`
  const rows = lines.map((line) => {
    const average = statistics.estimate(line, 'average')
    const tasks = taskNames.map((task) => {
      const estimate = statistics.estimate(line, task)
      return estimate ? `${short(estimate.mean)} ${half(estimate.rooms)}` : '–'
    })
    const seeds = average?.seeds ? ` ${half(average.seeds)}` : ''
    return [line.name, average ? `${short(average.mean)} ${half(average.rooms)}${seeds}` : '–', ...tasks]
  })
  return { kind: 'table', head: ['method', 'Average', ...taskNames.map((task) => taskLabels[task])], rows }
}

function withEstimates(lines: readonly Line[], statistics: Statistics) {
  return lines.flatMap((line) => {
    const estimate = statistics.estimate(line, 'average')
    return estimate ? [{ name: line.name, estimate }] : []
  })
}

function costTable(lines: readonly Line[]): Block {
  const mean = (line: Line, of: (result: CellResult) => number) =>
    line.results.reduce((sum, result) => sum + of(result), 0) / line.results.length
  const trained = lines.filter(({ cell, asked }) => cell && cell.method !== 'base' && asked === cell.mode)
  return {
    kind: 'table',
    head: ['method', 'budget', 'steps', 'questions', 'TFLOP', 'training, s', 'evaluation, s'],
    rows: trained.map((line) => [
      line.name,
      line.cell?.budget ?? '',
      ...[
        (result: CellResult) => result.steps,
        (result: CellResult) => result.questions,
        (result: CellResult) => result.operations / 1e12,
        (result: CellResult) => result.seconds.train,
        (result: CellResult) => result.seconds.evaluate,
      ].map((of) => String(Math.round(mean(line, of)))),
    ]),
  }
}

/** How answers to the test look, right or wrong. */
function formTable(lines: readonly Line[]): Block {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  return {
    kind: 'table',
    head: ['method', 'budget', 'in the form asked for, %', 'characters'],
    rows: lines.map(({ name, cell, asked, show, results }) => {
      const own = results.flatMap(({ evaluations }) =>
        evaluations.filter((one) => one.mode === asked && one.show === show),
      )
      const of = (value: (one: Evaluation) => number) => short(mean(own.map(value)))
      return [name, cell?.budget ?? '', of(({ format }) => 100 * format), of(({ length }) => length)]
    }),
  }
}

/** One set of charts for each mode, and one for what is trained on given answers. */
function curves(lines: readonly Line[]): Block[] {
  const titles = Object.keys(curveNames) as CurveName[]
  const own = lines.filter(({ cell, asked }) => cell?.mode === asked)
  const groups = [
    ...modes.map((mode) => ({
      name: `GRPO, ${mode}`,
      lines: own.filter(({ cell }) => cell?.method === 'grpo' && cell.mode === mode),
    })),
    { name: 'SFT and DPO', lines: own.filter(({ cell }) => cell?.method === 'sft' || cell?.method === 'dpo') },
  ]
  return groups
    .filter((group) => group.lines.length > 0)
    .flatMap((group): Block[] => [
      { kind: 'section', title: `Curves: ${group.name}` },
      {
        kind: 'text',
        text: 'Bold: the mean over seeds; thin: each of them. There is no KL without a reference (β 0).',
      },
      { kind: 'figures', svg: titles.map((title) => curveChart(title, group.lines)) },
    ])
}

function sampleTable(lines: readonly Line[]): Block {
  const own = lines.filter(({ cell, asked }) => cell?.mode === asked)
  const [first] = own
  const samples = first?.results[0]?.samples ?? []
  return {
    kind: 'table',
    head: ['question', 'answer', ...own.map(({ name }) => name)],
    rows: samples.map(({ question, answer }, i) => [
      question,
      answer,
      ...own.map(({ results }) => results[0]?.samples[i]?.completion ?? ''),
    ]),
  }
}

function tuningTable(choices: readonly Tuned[]): Block[] {
  if (choices.length === 0) return []
  return [
    { kind: 'section', title: 'How the learning rates were chosen' },
    { kind: 'text', text: tuning },
    {
      kind: 'table',
      head: ['method', 'learning rate', 'Average'],
      rows: choices.map(({ method, learningRate, average }) => [method, String(learningRate), short(average)]),
    },
  ]
}

function factTable({ results, size }: Study): Block {
  const distinct = (of: (result: CellResult) => string) => [...new Set(results.map(of))].join('; ')
  const argsOf = (wanted: Cell['method']) =>
    JSON.stringify(
      results.find(({ cell }) => (wanted === 'grpo' ? isYardstick(cell) : cell.method === wanted))?.args ?? {},
    )
  return {
    kind: 'table',
    head: ['', ''],
    rows: [
      ['size', JSON.stringify(size)],
      ['machine', distinct(({ machine }) => machine)],
      ['commit', distinct(({ commit }) => commit)],
      ['options of SFT', argsOf('sft')],
      ['options of DPO', argsOf('dpo')],
      ['options of GRPO, vanilla, β 1e-4', argsOf('grpo')],
      ['made again by', 'npm run study, or npm run study -- --full'],
    ],
  }
}

function count(lines: readonly Line[]): number {
  return Math.max(0, ...lines.flatMap(({ results }) => results.map(({ questions }) => questions)))
}
