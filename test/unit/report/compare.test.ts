// Comparisons of runs: what is drawn over what, which numbers, what differs, which folders are left out.
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { compare } from '../../../src/report/compare/comparison.js'
import { compareRuns } from '../../../src/report/index.js'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'compare-'))
})

function put(file: string, content: unknown): void {
  mkdirSync(dirname(join(dir, file)), { recursive: true })
  writeFileSync(join(dir, file), typeof content === 'string' ? content : JSON.stringify(content))
}

interface Made {
  readonly algorithm?: string
  readonly args?: object
  readonly steps?: number
  /** Metrics of a step, and of its evaluation. */
  readonly metrics?: (step: number) => object
  readonly evaluation?: (step: number) => object
}

/** A run folder `dir/name`; its path. */
function run(name: string, { algorithm = 'grpo', args = {}, steps = 20, metrics, evaluation }: Made = {}): string {
  const shown = metrics ?? ((step) => ({ reward: step / 100, kl: 0.5 }))
  const rows = Array.from({ length: steps }, (_, i) => i + 1).flatMap((step) => [
    { step, epoch: 0, step_time: 2, tokens_per_second: 100, 'memory/peak': 2 ** 30, ...shown(step) },
    ...(evaluation && step % 10 === 0 ? [{ step, epoch: 0, ...evaluation(step) }] : []),
  ])
  put(`${name}/config.json`, { algorithm, args: { seed: 0, outputDir: join(dir, name), ...args } })
  put(`${name}/metrics.jsonl`, `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`)
  return join(dir, name)
}

async function html(...names: string[]): Promise<string> {
  const { output } = await compareRuns(names.map((name) => join(dir, name)))
  return readFileSync(output, 'utf8')
}

/** The chart with this title. */
function figure(page: string, title: string): string {
  return page.split('<figure').find((part) => part.includes(`<b>${title}</b>`)) ?? ''
}

/** The rows of the table under a heading, as arrays of cells. */
function tableOf(heading: string, ...names: string[]): Record<string, readonly string[]> {
  const { tables } = compare(
    names.map((name) => join(dir, name)),
    { samples: 8 },
  )
  const table = tables.find((candidate) => candidate.heading === heading)?.table
  const rows = (table?.rows ?? []).map(({ name, cells }) => [name, cells] as const)
  return Object.fromEntries([['columns', table?.columns.slice(1) ?? []], ...rows])
}

describe('the curves', () => {
  it('lie over each other, one colour per run, each to its own end', async () => {
    run('a', { args: { beta: 0 }, steps: 10 })
    run('b', { args: { beta: 1 }, steps: 30 })
    const page = await html('a', 'b')
    const reward = figure(page, 'Reward')
    expect(reward).toMatch(/<g class="c0 r0">.*<g class="c1 r1">/)
    const data = JSON.parse((/data-chart="([^"]*)"/.exec(reward)?.[1] ?? '').replaceAll('&quot;', '"'))
    expect(data.series.map((s: { label: string; x: number[] }) => [s.label, s.x.length])).toEqual([
      ['a', 10],
      ['b', 30],
    ])
    expect(page).toMatch(/id="show-r0" checked>a</)
    expect(page).toContain('main:has(#show-r1:not(:checked)) svg .r1{display:none}')
  })

  it('draw seeds of one configuration thinly with their mean, as far as all of them go', async () => {
    run('b-s0', { args: { seed: 0 }, steps: 10, metrics: () => ({ reward: 1 }) })
    run('b-s1', { args: { seed: 1 }, steps: 14, metrics: () => ({ reward: 2 }) })
    const reward = figure(await html('b-s0', 'b-s1'), 'Reward')
    expect(reward.match(/class="faint"/g)).toHaveLength(2)
    const data = JSON.parse((/data-chart="([^"]*)"/.exec(reward)?.[1] ?? '').replaceAll('&quot;', '"'))
    expect(data.series).toHaveLength(1)
    expect(data.series[0]).toMatchObject({ label: 'b (2 seeds)', y: Array(10).fill(1.5) })
  })

  it('of different trainers share what has one meaning, and keep their losses apart', async () => {
    run('sft', { algorithm: 'sft', metrics: () => ({ loss: 2, entropy: 1 }) })
    run('dpo', { algorithm: 'dpo', metrics: () => ({ loss: 0.6, entropy: 1, 'rewards/margins': 0.1 }) })
    const page = await html('sft', 'dpo')
    expect(figure(page, 'Entropy').match(/<g class="c/g)).toHaveLength(2)
    for (const title of ['Loss, sft', 'Loss, dpo', 'Margin'])
      expect(figure(page, title).match(/<g class="c/g)).toHaveLength(1)
    expect(page).not.toContain('<b>Loss</b>')
  })

  it('show by time of training what two runs were to make better', async () => {
    run('a', { args: { beta: 0 }, evaluation: () => ({ eval_reward: 0.5 }) })
    run('b', { args: { beta: 1 } })
    const [, byTime = ''] = (await html('a', 'b')).split('By time of training')
    expect(byTime).toMatch(/aria-label="Reward by seconds"/)
    expect(byTime).toMatch(/&quot;x&quot;:\[2,40\]/)
    expect(byTime).not.toContain('Reward, evaluation')
  })

  it('name all other metrics, drawn or constant', async () => {
    run('a', { metrics: (step) => ({ reward: 1, 'clip/high': step, 'clip/low': 0 }) })
    run('b', { args: { beta: 1 }, metrics: (step) => ({ reward: 1, 'clip/high': 2 * step, 'clip/low': 0 }) })
    const page = await html('a', 'b')
    expect(figure(page, 'clip/high')).not.toBe('')
    expect(page).toContain('The same in all steps of all runs: clip/low.')
  })
})

describe('the tables', () => {
  it('give the last tenth, the best, and evaluations of a run', () => {
    run('a', { steps: 20, evaluation: (step) => ({ eval_reward: step === 10 ? 0.9 : 0.4 }) })
    const table = tableOf('Final and best', 'a')
    expect(table.columns).toEqual([
      'Reward\nlast',
      'Reward\nbest',
      'Reward, evaluation\nlast',
      'Reward, evaluation\nbest',
      'KL to the reference policy\nlast',
    ])
    // The last tenth of 0.01 … 0.2 is 0.19 and 0.2.
    expect(table.a).toEqual(['0.195', '0.2', '0.4', '0.9', '0.5'])
  })

  it('give the mean of seeds with its standard deviation, then each', () => {
    for (const seed of [0, 1, 2]) run(`x-seed${seed}`, { args: { seed }, metrics: () => ({ reward: seed }) })
    const table = tableOf('Final and best', 'x-seed0', 'x-seed1', 'x-seed2')
    expect(table['x (3 seeds)']?.[0]).toBe('1 ± 1')
    expect(table['x-seed2']?.[0]).toBe('2')
  })

  it('take the least loss for the best, and leave out that of GRPO', () => {
    run('sft', { algorithm: 'sft', metrics: (step) => ({ loss: step }) })
    expect(tableOf('Final and best', 'sft').sft).toEqual(['19.5', '1'])
    run('grpo', { metrics: () => ({ loss: 1, reward: 1 }) })
    expect(tableOf('Final and best', 'grpo').columns).toEqual(['Reward\nlast', 'Reward\nbest'])
  })

  it('leave out the accuracy where it is all of the reward', () => {
    run('a', { metrics: (step) => ({ reward: step, 'rewards/accuracy/mean': step }) })
    expect(tableOf('Final and best', 'a').columns).toHaveLength(2)
    run('b', { metrics: (step) => ({ reward: step, 'rewards/accuracy/mean': 1 }) })
    expect(tableOf('Final and best', 'b').columns).toHaveLength(4)
  })

  it('say how far and how long each run went, also of one under way', () => {
    run('a', { steps: 7 })
    const facts = { startedAt: '2026-01-01T00:00:00Z', sessions: 1, machine: {}, versions: {} }
    put('a/run.json', { ...facts, seconds: 0, step: 0, totalSteps: 50, state: 'running' })
    const table = tableOf('The runs', 'a')
    expect(table.a).toEqual(['grpo', '0', 'still running, or killed', '7 of 50', '14s', '2', '100', '1'])
  })

  it('show the options that differ and no others', () => {
    run('a', { args: { beta: 0, epsilon: 0.2, loraOnly: 1, seed: 5 } })
    run('b', { args: { beta: 1e-4, epsilon: 0.2, seed: 6 } })
    run('c', { algorithm: 'sft', args: { packing: true, epsilon: 0.2 }, metrics: () => ({ loss: 1 }) })
    const { columns, ...rows } = tableOf('Options that differ', 'a', 'b', 'c')
    expect(columns).toEqual(['a', 'b', 'c'])
    expect(rows).toEqual({
      algorithm: ['grpo', 'grpo', 'sft'],
      'args.beta': ['0', '0.0001', '–'],
      'args.loraOnly': ['1', '–', '–'],
    })
  })

  it('show what evaluations of the models said', () => {
    run('a')
    const byTask = {}
    put('a/summary.json', {
      base: { accuracy: 0.5, count: 100, byTask },
      trained: { accuracy: 0.8, count: 100, byTask },
    })
    run('b', { args: { beta: 1 } })
    const table = tableOf('Results on questions never trained on', 'a', 'b')
    expect(table).toEqual({ columns: ['questions', 'base', 'trained'], a: ['–', '50.0 ± 5.0', '80.0 ± 4.0'] })
  })
})

describe('names', () => {
  it('are as short as tells the runs apart', () => {
    for (const name of ['x/run', 'y/run', 'y/other']) run(name, { args: { at: name } })
    expect(Object.keys(tableOf('The runs', 'x/run', 'y/run', 'y/other')).slice(1)).toEqual([
      'x/run',
      'y/run',
      'y/other',
    ])
  })

  it('of a group are never those of another run', () => {
    run('sft', { args: { beta: 0 } })
    run('sft-1', { args: { beta: 1, seed: 1 } })
    run('sft-2', { args: { beta: 1, seed: 2 } })
    const { groups } = compare(
      ['sft', 'sft-1', 'sft-2'].map((name) => join(dir, name)),
      { samples: 0 },
    )
    expect(groups.map(({ name }) => name)).toEqual(['sft', 'sft-1, sft-2'])
  })

  it('call equal seeds runs, not seeds', () => {
    run('a-1')
    run('a-2')
    const { groups } = compare(
      ['a-1', 'a-2'].map((name) => join(dir, name)),
      { samples: 0 },
    )
    expect(groups.map(({ name }) => name)).toEqual(['a (2 runs)'])
  })
})

describe('answers', () => {
  const row = { question: 'How many?', answer: 3, media: ['/data/frames/r1/000.png'] }
  const rows = (...given: object[]) => given.map((entry) => `${JSON.stringify({ ...row, ...entry })}\n`).join('')

  it('stand side by side for the same prompt, of the last step that had it', async () => {
    run('a', { args: { beta: 0 } })
    run('b', { args: { beta: 1 } })
    const early = { step: 1, completion: 'early', reward: 0 }
    put(
      'a/completions.jsonl',
      rows(early, { step: 5, completion: '3', reward: 1 }, { step: 5, completion: '3', reward: 1 }),
    )
    put('b/completions.jsonl', rows({ step: 2, completion: '<i>', reward: null, media: ['elsewhere/r1/000.png'] }))
    const page = await html('a', 'b')
    expect(page).not.toContain('early')
    expect(page).toMatch(/step 5<\/span><\/th><td><p><q>3<\/q> × 2 <span class="reward">reward 1</)
    expect(page).toMatch(/<q>&lt;i&gt;<\/q> <span class="reward">no reward</)
    expect(page.match(/<article class="sample">/g)).toHaveLength(1)
  })

  it('come first where the runs disagree; a prompt of one run is left out', () => {
    run('a', { args: { beta: 0 } })
    run('b', { args: { beta: 1 } })
    const said = (question: string, reward: number) => ({ step: 1, question, completion: 'x', reward })
    put('a/completions.jsonl', rows(said('same', 1), said('other', 1), said('alone', 1)))
    put('b/completions.jsonl', rows(said('same', 1), said('other', 0)))
    const { prompts } = compare([join(dir, 'a'), join(dir, 'b')], { samples: 8 })
    expect(prompts.map(({ question }) => question)).toEqual(['other', 'same'])
  })

  it('are those of the trained models where samples.json holds them', () => {
    for (const name of ['a', 'b']) {
      run(name, { args: { at: name } })
      const base = { completion: 'base', reward: 0 }
      put(`${name}/samples.json`, [{ frames: [], question: 'q', base, trained: { completion: name, reward: 1 } }])
    }
    const { prompts } = compare([join(dir, 'a'), join(dir, 'b')], { samples: 8 })
    expect(prompts[0]?.said.map(({ when, answers }) => [when, answers[0]?.text])).toEqual([
      ['at the end', 'a'],
      ['at the end', 'b'],
    ])
  })
})

describe('folders that hold no run', () => {
  it('are named with the reason and left out', async () => {
    run('good')
    mkdirSync(join(dir, 'empty'))
    put('begun/config.json', { algorithm: 'sft' })
    put('damaged/config.json', '{"algorithm":')
    put('damaged/metrics.jsonl', 'no json\n{"step":1')
    mkdirSync(join(dir, 'locked/metrics.jsonl'), { recursive: true })
    put('notes.txt', 'hello')
    const names = ['good', 'empty', 'begun', 'damaged', 'locked', 'notes.txt', 'gone']
    const { problems, output } = await compareRuns(names.map((name) => join(dir, name)))
    const expected: Record<string, RegExp> = {
      empty: /not a run folder \(no config\.json/,
      begun: /: no step has been recorded yet$/,
      damaged: /config\.json could not be read: .*metrics\.jsonl: 1 line could not be read; no step/,
      locked: /metrics\.jsonl could not be read: that is a folder; no step/,
      'notes.txt': /a file, not a run folder/,
      gone: /no such folder/,
    }
    expect(problems).toHaveLength(6)
    for (const [name, reason] of Object.entries(expected)) {
      const problem = problems.find((candidate) => candidate.startsWith(`${join(dir, name)} is left out: `))
      expect(problem).toMatch(reason)
    }
    const page = readFileSync(output, 'utf8')
    expect(page.match(/class="problem"/g)).toHaveLength(6)
    expect(page).toContain('1 run of 1 configuration<')
  })

  it('stop the comparison when there is nothing else', async () => {
    mkdirSync(join(dir, 'empty'))
    await expect(compareRuns([join(dir, 'empty')])).rejects.toThrow(/no run to compare: .*empty: not a run folder/)
  })

  it('are not the comparison itself, which lies beside the runs', async () => {
    run('a')
    const first = await compareRuns([join(dir, 'a')])
    expect(first.output).toBe(join(dir, 'comparison.html'))
    const again = await compareRuns([join(dir, 'a'), first.output, join(dir, 'a')])
    expect(again.problems).toEqual([])
  })

  it('are no reason to lose a run of which one file is damaged', async () => {
    run('a')
    put('a/run.json', '{}')
    put('a/summary.json', '[')
    const { problems, output } = await compareRuns([join(dir, 'a')])
    expect(problems).toEqual([expect.stringMatching(/^a: summary\.json could not be read/)])
    expect(readFileSync(output, 'utf8')).toContain('<b>Reward</b>')
  })
})

describe('the file', () => {
  it('asks for nothing outside itself, and keeps text from becoming markup', async () => {
    run('<b>a', { args: { name: '"><script>' } })
    run('b', { args: { name: '&' } })
    const page = await html('<b>a', 'b')
    expect(page).not.toMatch(/(src|href)="(?!data:)|@import|url\(|https?:\/\//)
    expect(page.match(/<script/g)).toHaveLength(1)
    expect(page).not.toMatch(/<b>a|"><script>/)
  })

  it('is Markdown where that is asked for, by name or by option', async () => {
    run('a|b', { args: { beta: 0 } })
    run('c', { args: { beta: 1 }, evaluation: () => ({ eval_reward: 0.5 }) })
    const dirs = [join(dir, 'a|b'), join(dir, 'c')]
    const { output } = await compareRuns(dirs, { output: join(dir, 'out.md') })
    const text = readFileSync(output, 'utf8')
    expect(text).toMatch(/^# compare-/)
    expect(text).toContain('| a\\|b | ')
    expect(text).toMatch(/\| args\.beta \| 0 \| 1 \|/)
    expect(text).toMatch(/### Reward\n\n.*\n.*\n\| a\\\|b \| ▁▁?[▁▂▃▄▅▆▇█]+ \| 0\.015 \| 0\.195 \|/)
    for (const line of text.split('\n').filter((one) => one.startsWith('| args'))) {
      expect(line.split(/(?<!\\)\|/)).toHaveLength(5)
    }
    expect((await compareRuns(dirs, { markdown: true })).output).toBe(join(dir, 'comparison.md'))
  })
})
