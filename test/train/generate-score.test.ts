/** `generate` and `score` on the demo's checkpoint: the form of their rows, and that both tell the same numbers. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadModel } from '../../src/policy.js'
import type { Completion, Message } from '../../src/types.js'
import { base, type Ended, makeRooms, readRows, scratch, vsgrpo, writeRows } from './cli.js'

interface Answer {
  text: string
  ids: number[]
  logps: number[]
  finishReason: 'stop' | 'length'
}
interface Answers {
  completions: Answer[]
}
interface Score {
  promptTokens: number
  completionIds: number[]
  logps: number[]
}
interface Question {
  id: string
  messages: unknown
  completion?: string
}

const endToken = 400
const maxNewTokens = 5
const folder = scratch()
let questions: Question[] = []
beforeAll(async () => {
  questions = readRows(await makeRooms(folder.dir, 5))
})

function run(command: string, input: string, output: string, ...options: string[]): Promise<Ended> {
  const files = ['--input', input, '--output', output]
  return vsgrpo(folder.dir, command, '--model', base, '--dtype', 'float32', ...files, ...options)
}

/** Answers to some questions of the rooms, whose media paths are relative to their folder. */
async function generate(name: string, rows: readonly Question[], ...options: string[]): Promise<Answers[]> {
  writeRows(
    join(folder.dir, 'rooms', `${name}.jsonl`),
    rows.map(({ id, messages }) => ({ id, messages })),
  )
  const limit = ['--max-new-tokens', String(maxNewTokens)]
  const ended = await run('generate', `rooms/${name}.jsonl`, `${name}.jsonl`, ...limit, ...options)
  expect({ code: ended.code, out: ended.out }, ended.err).toEqual({ code: 0, out: '' })
  return readRows(join(folder.dir, `${name}.jsonl`))
}

async function score(name: string, rows: readonly Question[]): Promise<Score[]> {
  writeRows(join(folder.dir, 'rooms', `${name}.jsonl`), rows)
  expect(await run('score', `rooms/${name}.jsonl`, `${name}.jsonl`)).toMatchObject({ code: 0 })
  return readRows(join(folder.dir, `${name}.jsonl`))
}

const sampled = ['--temperature', '1', '--num-generations', '4', '--seed', '7']

describe('generate', () => {
  it('gives one greedy answer per row, in the order of the input', async () => {
    const rows = await generate('greedy', questions, '--temperature', '0')
    expect(rows).toHaveLength(questions.length)
    for (const { completions, ...rest } of rows) {
      expect({ count: completions.length, rest }).toEqual({ count: 1, rest: {} })
    }
  })

  it('gives answers of the form that the help describes', async () => {
    const rows = await generate('form', questions, '--temperature', '2', '--num-generations', '8')
    const answers = rows.flatMap(({ completions }) => completions)
    expect(answers).toHaveLength(8 * questions.length)
    for (const { text, ids, logps, finishReason, ...rest } of answers) {
      expect(rest).toEqual({})
      expect(text).not.toMatch(/<\|/)
      expect(logps).toHaveLength(ids.length)
      expect(logps.every((logp) => logp <= 0 && Number.isFinite(logp))).toBe(true)
      expect(ids.slice(0, -1)).not.toContain(endToken)
      expect(finishReason).toBe(ids.at(-1) === endToken ? 'stop' : 'length')
      expect(ids.length).toBe(finishReason === 'length' ? maxNewTokens : Math.min(ids.length, maxNewTokens))
    }
    expect(new Set(answers.map(({ finishReason }) => finishReason))).toEqual(new Set(['stop', 'length']))
  })

  it('gives the same for the same seed and something else for another', async () => {
    const first = await generate('seed-a', questions, ...sampled)
    expect(await generate('seed-b', questions, ...sampled)).toEqual(first)
    const other = await generate('seed-c', questions, ...sampled.slice(0, -1), '8')
    expect(other).not.toEqual(first)
    const texts = first.flatMap(({ completions }) => completions.map(({ text }) => text))
    expect(new Set(texts).size).toBeGreaterThan(3)
  })

  it('gives a row the same answers whatever rows follow it', async () => {
    const all = await generate('all', questions, ...sampled)
    const few = await generate('few', questions.slice(0, 3), ...sampled)
    expect(few.map(answersOf)).toEqual(all.slice(0, 3).map(answersOf))
  })

  it('gives greedy answers that do not depend on order or neighbours', async () => {
    const forth = await generate('forth', questions, '--temperature', '0')
    const back = await generate('back', [...questions].reverse(), '--temperature', '0')
    const alone = await generate('alone', questions.slice(4, 5), '--temperature', '0')
    expect(back.reverse().map(answersOf)).toEqual(forth.map(answersOf))
    expect(alone.map(answersOf)).toEqual(forth.slice(4, 5).map(answersOf))
    expectClose(back.flatMap(logpsOf), forth.flatMap(logpsOf))
  })

  it('writes to stdout when no file is named, and talks on stderr only', async () => {
    writeRows(join(folder.dir, 'plain.jsonl'), [{ prompt: 'How many chairs?' }])
    const { code, out, err } = await run('generate', 'plain.jsonl', '-', '--temperature', '0')
    expect({ code, rows: out.trimEnd().split('\n').length }).toEqual({ code: 0, rows: 1 })
    expect(JSON.parse(out)).toHaveProperty('completions.0.finishReason')
    expect(err).toMatch('1/1 rows')
  })

  it('leaves no file but its output', () => {
    expect(readdirSync(folder.dir).filter((name) => !/^(rooms|[\w-]+\.jsonl)$/.test(name))).toEqual([])
  })
})

it('a policy gives every prompt the same answers, however they are ordered and packed', async () => {
  await using policy = await loadModel(base, { dtype: 'float32', trainable: false })
  const rows = readRows<{ messages: Message[] }>(join(folder.dir, 'rooms', 'questions.jsonl')).slice(0, 8)
  const prompts = await Promise.all(
    rows.map(({ messages }) => policy.processor.prompt(messages, { baseDir: join(folder.dir, 'rooms') })),
  )
  const options = { numGenerations: 3, maxNewTokens: 4, seed: 5 }
  const ids = (answers: readonly Completion[][]) => answers.map((group) => group.map((answer) => [...answer.ids]))
  const whole = ids(await policy.generate(prompts, options))
  expect(ids(await policy.generate(prompts, { ...options, tokensPerBatch: 64 }))).toEqual(whole)
  expect(ids(await policy.generate([...prompts].reverse(), options))).toEqual([...whole].reverse())
  expect(ids(await policy.generate(prompts.slice(2, 3), options))).toEqual(whole.slice(2, 3))
})

describe('score', () => {
  it('gives the log-probabilities that generate gave, greedy and sampled', async () => {
    const greedy = await generate('to-score', questions, '--temperature', '0')
    const many = await generate('to-score-sampled', questions, ...sampled)
    const pairs = [greedy, many].flatMap((rows) =>
      rows.flatMap(({ completions }, i) => completions.map((answer) => ({ answer, question: questions[i] }))),
    )
    const rows = pairs.flatMap(({ answer, question }) =>
      question ? [{ ...question, completion: withEnd(answer) }] : [],
    )
    const scores = await score('scored', rows)
    expect(scores.length).toBe(pairs.length)
    let compared = 0
    scores.forEach((found, i) => {
      const { answer } = pairs[i] ?? expect.fail('a score without an answer')
      expect(Object.keys(found)).toEqual(['promptTokens', 'completionIds', 'logps'])
      // A sampled text may be spelt with other tokens than its own shortest ones.
      if (String(found.completionIds) !== String(answer.ids)) return
      compared++
      expectClose(found.logps, answer.logps)
    })
    expect(compared).toBeGreaterThan(0.9 * pairs.length)
  })

  it('counts the prompt with its media, adds no end token, and takes an empty completion', async () => {
    const [question] = questions
    if (!question) throw new Error('no question')
    const rows = ['', 'lamp', 'lamp<|im_end|>'].map((completion) => ({ ...question, completion }))
    const [empty, word, ended] = await score('forms', rows)
    expect(empty).toMatchObject({ completionIds: [], logps: [] })
    expect(word?.completionIds).not.toContain(endToken)
    expect(ended?.completionIds).toEqual([...(word?.completionIds ?? []), endToken])
    expectClose(ended?.logps.slice(0, -1) ?? [], word?.logps ?? [])
    expect(word?.promptTokens).toBeGreaterThan(20)
    expect(new Set([empty, word, ended].map((row) => row?.promptTokens)).size).toBe(1)
  })
})

function withEnd({ text, finishReason }: Answer): string {
  return finishReason === 'stop' ? `${text}<|im_end|>` : text
}

function answersOf({ completions }: Answers): object[] {
  return completions.map(({ text, ids, finishReason }) => ({ text, ids, finishReason }))
}

function logpsOf({ completions }: Answers): number[] {
  return completions.flatMap(({ logps }) => logps)
}

function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length)
  const gaps = found.map((value, i) => Math.abs(value - (expected[i] ?? Number.NaN)))
  expect(Math.max(0, ...gaps)).toBeLessThan(1e-4)
}
