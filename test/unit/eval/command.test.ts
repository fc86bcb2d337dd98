/** `vsgrpo eval` on files: what it prints, how fast, and how it complains. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { register } from '../../../src/cli/eval.js'
import { questionTypes } from '../../../src/eval/vsi-bench/tasks.js'
import { keepPrinted } from '../../printed.js'
import { counting, direction, type Fields } from './questions.js'

const printed = keepPrinted()
let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'eval-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function put(name: string, rows: readonly unknown[] | string | Buffer): string {
  const text = Array.isArray(rows) ? rows.map((row) => `${JSON.stringify(row)}\n`).join('') : rows
  writeFileSync(join(dir, name), text as string | Buffer)
  return join(dir, name)
}

function evaluate(...args: string[]): Promise<unknown> {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined })
  register(program)
  return program.parseAsync(['eval', '--benchmark', 'vsi-bench', ...args], { from: 'user' })
}

/** The message of the error that a command line ends with, without the folder. */
async function complaint(...args: string[]): Promise<string> {
  const error = await evaluate(...args).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toMatchObject({ name: 'InputError' })
  expect(printed.out).toBe('')
  return (error instanceof Error ? error.message : '').replaceAll(`${dir}/`, '')
}

const answers = [
  { id: 0, prediction: '3' },
  { id: 1, prediction: 'right' },
]

describe('eval --predictions', () => {
  it('prints JSON by the published rule, and with names accepted where that is asked for', async () => {
    const args = ['--questions', put('q.jsonl', [counting, direction]), '--predictions', put('p.jsonl', answers)]
    await evaluate(...args, '--format', 'json')
    expect(JSON.parse(printed.out)).toMatchObject({
      average: 5,
      tasks: { object_counting: 10, object_rel_direction: 0, route_planning: null },
      settings: { rule: 'published' },
    })
    printed.out = ''
    await evaluate(...args, '--format', 'json', '--accept-names')
    expect(JSON.parse(printed.out)).toMatchObject({ tasks: { object_counting: 10, object_rel_direction: 100 } })
    printed.out = ''
    await evaluate(...args, '--accept-names')
    expect(printed.out).toContain("rule: an option's text counts as its letter, not the published one")
    expect(printed.err).toContain('no Debiased score: the rows have no column "pruned"')
  })

  it('reads the Debiased subset from a list, and tells what it left aside', async () => {
    const more = [...answers, { id: 99, prediction: '' }]
    const args = ['--questions', put('q.jsonl', [counting, direction]), '--predictions', put('p.jsonl', more)]
    await evaluate(...args, '--format', 'json', '--pruned-ids', put('pruned.txt', '1\n5\n'))
    expect(JSON.parse(printed.out).debiased).toMatchObject({ questions: 1, average: 10 })
    expect(printed.err).toContain('p.jsonl: 1 predictions for other questions left aside')
  })

  it('scores the Debiased subset alone where that is asked for', async () => {
    const marked = [
      { ...counting, pruned: true },
      { ...direction, pruned: false },
    ]
    const args = ['--questions', put('q.jsonl', marked), '--predictions', put('p.jsonl', answers)]
    await evaluate(...args, '--format', 'json', '--subset', 'debiased')
    expect(JSON.parse(printed.out)).toMatchObject({
      ...{ questions: 1, average: 0, debiased: null },
      ...{ tasks: { object_counting: null, object_rel_direction: 0 }, settings: { subset: 'debiased' } },
    })
    expect(printed.err).toContain('p.jsonl: 1 predictions for other questions left aside')
    printed.out = ''
    await evaluate(...args, '--subset', 'debiased')
    expect(printed.out).toMatch(/^VSI-Bench Debiased, 1 questions/)
    printed.out = ''
    const silent = ['--questions', put('silent.jsonl', [counting, direction]), '--predictions', join(dir, 'p.jsonl')]
    expect(await complaint(...silent, '--subset', 'debiased')).toMatch(
      /^silent.jsonl: the Debiased subset needs .* the column "pruned", .*, or --pruned-ids with its pruned_ids.txt/,
    )
    await evaluate(...silent, '--format', 'json', '--subset', 'debiased', '--pruned-ids', put('ids.txt', '0\n'))
    expect(JSON.parse(printed.out)).toMatchObject({ questions: 1, tasks: { object_counting: null } })
  })

  it('writes each question with its prediction and points', async () => {
    const output = join(dir, 'scored.jsonl')
    const args = ['--questions', put('q.jsonl', [counting, direction]), '--predictions', put('p.jsonl', answers)]
    await evaluate(...args, '--output', output)
    const rows = readFileSync(output, 'utf8').trimEnd().split('\n')
    expect(rows.map((line) => JSON.parse(line))).toEqual([
      { ...counting, prediction: '3', score: 0.1 },
      { ...direction, prediction: 'right', score: 0 },
    ])
  })

  it('scores 5,130 predictions in under two seconds of computing', async () => {
    const questions = Array.from({ length: 5130 }, (_, id): Fields => {
      const type = questionTypes[id % 10] ?? 'object_counting'
      const numeric = id % 10 < 4
      return {
        ...{ id, dataset: 'scannet', scene_name: `scene ${id % 288}`, question_type: type, pruned: id % 2 === 0 },
        question: `How many thing ${id % 60}(s) are in this room?`,
        options: numeric ? null : ['A. a', 'B. b', 'C. c', 'D. d'],
        ground_truth: numeric ? String(1 + ((id * 7919) % 500) / 10) : 'ABCD'[(id * 31) % 4],
      }
    })
    const predictions = questions.map(({ id }, i) => ({ id, prediction: i % 10 < 4 ? `${i % 50} m` : 'B. b' }))
    const args = ['--questions', put('q.jsonl', questions), '--predictions', put('p.jsonl', predictions)]
    const before = process.cpuUsage()
    await evaluate(...args, '--format', 'json')
    const { user, system } = process.cpuUsage(before)
    expect(JSON.parse(printed.out).questions).toBe(5130)
    expect((user + system) / 1e6).toBeLessThan(2)
  })
})

describe('a mistake at eval', () => {
  const q = () => put('q.jsonl', [counting, direction])
  it('asks for predictions or a model, not both, and for the videos', async () => {
    expect(await complaint('--questions', q())).toBe(
      'eval: expected --predictions or --model, got neither; see vsgrpo eval --help',
    )
    expect(await complaint('--questions', q(), '--model', 'm', '--predictions', 'p')).toMatch(/, got both/)
    expect(await complaint('--questions', q(), '--model', 'm')).toMatch(/^--videos is missing/)
    expect(await complaint('--questions', q(), '--model', 'm', '--videos', join(dir, 'none'))).toMatch(
      /^--videos none: expected a folder/,
    )
    expect(await complaint('--questions', q(), '--model', 'm', '--videos', dir)).toMatch(
      /got none for 1: arkitscenes\/s0; question 0 needs/,
    )
    expect(await complaint('--questions', q(), '--model', 'm', '--prompt', 'row')).toMatch(
      /^q.jsonl:1: messages: expected a list of messages/,
    )
  })
  it('names missing files and missing or repeated ids', async () => {
    expect(await complaint('--questions', join(dir, 'no.jsonl'), '--predictions', 'p')).toMatch(
      /^cannot read no.jsonl: .*; give the path of a data file/,
    )
    expect(await complaint('--questions', q(), '--predictions', put('p.jsonl', answers.slice(1)))).toBe(
      'p.jsonl: expected a prediction for each of 2 questions, got none for 1: 0',
    )
    expect(await complaint('--questions', q(), '--predictions', put('p.jsonl', [...answers, ...answers]))).toMatch(
      /^p.jsonl: expected one prediction for each id, got two for 0 \(p.jsonl:1 and p.jsonl:3\), 1/,
    )
    expect(await complaint('--questions', q(), '--predictions', 'p', '--pruned-ids', join(dir, 'no'))).toMatch(
      /^--pruned-ids: cannot read no/,
    )
  })
})
