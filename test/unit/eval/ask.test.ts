/** Asking a model: one part holds whole scenes, answers are kept, and a run goes on where it stopped. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AnswerFile, answerRow, fingerprint } from '../../../src/eval/answers.js'
import { type Answerer, type Asked, askAll } from '../../../src/eval/ask.js'
import type { Prompt } from '../../../src/types.js'
import { counting, questions } from './questions.js'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ask-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const settings = { model: 'm', maxNewTokens: 16 }

/** Answers each prompt with the number of its part; remembers the options and the scenes of each part. */
function fakePolicy(patches = 10) {
  const parts: string[][] = []
  const given: unknown[] = []
  const scenes = new WeakMap<Prompt, string>()
  const policy: Answerer = {
    processor: {
      async prompt(messages) {
        const scene = String(messages[0]?.content)
        const item = { patches: new Uint8Array(patches), byteValues: new Float32Array(), grid: [1, 1, 1] as const }
        const media = [{ key: scene, ...item }]
        const prompt = { ids: new Int32Array(2), positions: new Int32Array(6), nextPosition: 2, media, sharedLength: 1 }
        scenes.set(prompt, scene)
        return prompt
      },
    },
    async generate(prompts, options) {
      parts.push(prompts.map((prompt) => scenes.get(prompt) ?? ''))
      given.push(options)
      const text = String(parts.length)
      const none = { ids: new Int32Array(0), logps: new Float32Array(0), finishReason: 'stop' as const }
      return prompts.map(() => [{ text, ...none }])
    },
  }
  return { policy, parts, given }
}

function ask(scene: string, id: string | number): Asked {
  return {
    id,
    scene,
    messages: [{ role: 'user', content: scene }],
    where: `q.jsonl:${id}`,
    read: (text) => `<${text}>`,
  }
}

/** The same as rows of a file: what an answer file knows them by. */
const asRows = (asked: readonly Asked[]) =>
  questions(
    ...asked.map(({ id, scene }) => ({ ...counting, id, scene_name: scene, question: `How many in ${scene}?` })),
  )

const { signal } = new AbortController()

describe('askAll', () => {
  it('asks greedily, questions about one scene together, whatever their order in the file', async () => {
    const { policy, parts, given } = fakePolicy()
    const list = [ask('a', 0), ask('b', 1), ask('a', 2)]
    const answers = new AnswerFile(undefined, settings, asRows(list))
    await askAll(list, { policy, answers, maxNewTokens: 16, signal })
    expect(parts).toEqual([['a', 'a', 'b']])
    expect(given).toEqual([{ temperature: 0, maxNewTokens: 16, signal }])
    expect(answers.get('2')).toEqual({ id: 2, prediction: '<1>', completion: '1', finishReason: 'stop' })
  })

  it('ends a part at some hundred questions, and counts the pixels of a video once', async () => {
    const { policy, parts } = fakePolicy(3e7)
    const list = Array.from({ length: 40 }, (_, i) => ask(`scene ${Math.floor(i / 10)}`, i))
    const answers = new AnswerFile(undefined, settings, [])
    await askAll(list, { policy, answers, maxNewTokens: 16, signal })
    expect(parts.map((part) => part.length)).toEqual([40])
    const many = Array.from({ length: 600 }, (_, i) => ask(`scene ${Math.floor(i / 100)}`, i))
    const small = fakePolicy()
    await askAll(many, {
      policy: small.policy,
      answers: new AnswerFile(undefined, settings, []),
      maxNewTokens: 1,
      signal,
    })
    expect(small.parts.map((part) => part.length)).toEqual([300, 300])
  })

  it('keeps what is answered, cuts off a torn line and asks the rest', async () => {
    const file = join(dir, 'answers.jsonl')
    const list = [ask('a', 0), ask('b', 1), ask('c', 'x')]
    const first = new AnswerFile(file, settings, asRows(list))
    await askAll(list.slice(0, 2), { policy: fakePolicy().policy, answers: first, maxNewTokens: 16, signal })
    first.close()
    appendFileSync(file, '{"id":"x","predic')
    const second = new AnswerFile(file, settings, asRows(list))
    expect(second.size).toBe(2)
    const { policy, parts } = fakePolicy()
    const told: number[][] = []
    const onProgress = (done: number, total: number): void => void told.push([done, total])
    await askAll(list, { policy, answers: second, maxNewTokens: 16, signal, onProgress })
    second.close()
    expect(parts).toEqual([['c']])
    expect(told).toEqual([[3, 3]])
    const rows = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(rows.map((line) => JSON.parse(line).id)).toEqual([0, 1, 'x'])
    expect(JSON.parse(rows[2] ?? '')).toMatchObject({ prediction: '<1>', scene_name: 'c', score: 0, settings })
  })

  it('borrows a scene’s video for as long as its prompts are made, one after the other', async () => {
    const { policy, parts } = fakePolicy()
    const told: string[] = []
    const watched: Answerer = {
      ...policy,
      processor: {
        prompt(messages, context) {
          told.push('prompt')
          if (messages.length === 0) throw new Error('unreadable')
          return policy.processor.prompt(messages, context)
        },
      },
    }
    const videos = {
      async lend(scene: string) {
        told.push(`lend ${scene}`)
        return () => void told.push(`return ${scene}`)
      },
    }
    const list = [ask('a', 0), ask('b', 1), ask('a', 2)]
    const answers = new AnswerFile(undefined, settings, asRows(list))
    const options = { policy: watched, answers, videos, maxNewTokens: 16, signal }
    await askAll(list, options)
    expect(told).toEqual(['lend a', 'prompt', 'prompt', 'return a', 'lend b', 'prompt', 'return b'])
    expect(parts).toHaveLength(1)
    await expect(askAll([{ ...ask('c', 3), messages: [] }], options)).rejects.toThrow('unreadable')
    expect(told.slice(-3)).toEqual(['lend c', 'prompt', 'return c'])
  })

  it('stops at Ctrl-C with the parts that are done on disk', async () => {
    const controller = new AbortController()
    const file = join(dir, 'answers.jsonl')
    const { policy } = fakePolicy(2e8)
    const list = [ask('a', 0), ask('b', 1)]
    const answers = new AnswerFile(file, settings, asRows(list))
    const onProgress = (): void => controller.abort()
    const work = askAll(list, {
      ...{ policy, answers, maxNewTokens: 16, onProgress },
      signal: controller.signal,
    })
    await expect(work).rejects.toMatchObject({ code: 'ERR_VSGRPO_ABORTED' })
    answers.close()
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(1)
  })
})

describe('AnswerFile', () => {
  const file = (text: string): string => {
    writeFileSync(join(dir, 'a.jsonl'), text)
    return join(dir, 'a.jsonl')
  }
  const known = questions(counting)
  const answered = { id: 0, prediction: '2', completion: '2', finishReason: 'stop' } as const
  const row = { ...answerRow(known[0], answered), settings }
  it.each([
    [{ ...row, settings: { ...settings, model: 'n' } }, 'it holds answers with model "n", not m; name another file'],
    [{ ...row, settings: undefined }, 'it holds answers with model unknown, not m'],
    [{ ...row, id: 7 }, 'it holds answers to other questions: 7'],
    [{ ...row, scene_name: 'elsewhere' }, 'it holds answers to other questions: 0'],
    [{ ...row, question: 'How many bed(s) are in this room?' }, 'it holds answers to other questions: 0'],
    [{ id: 0, messages: [] }, 'it holds rows without a prediction (id 0)'],
  ])('does not mix in %j, and leaves it as it was', (value, message) => {
    const path = file(`${JSON.stringify(value)}\n`)
    expect(() => new AnswerFile(path, settings, known)).toThrow(message)
    expect(readFileSync(path, 'utf8')).toBe(`${JSON.stringify(value)}\n`)
  })
  it('keeps the question and its points beside an answer, by the truth that is known now', () => {
    expect(row).toMatchObject({ id: 0, question: counting.question, ground_truth: '2', options: null, score: 1 })
    const path = file(`${JSON.stringify(row)}\n`)
    new AnswerFile(path, settings, questions({ ...counting, ground_truth: '3' })).close()
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ ...row, ground_truth: '3', score: 0.4 })
  })
  it('refuses a folder', () => {
    expect(() => new AnswerFile(dir, settings, [])).toThrow('expected a file, got a folder')
  })
})

describe('fingerprint', () => {
  it('changes with the weights, not with the rest of the folder', () => {
    writeFileSync(join(dir, 'model.safetensors'), Buffer.alloc(1e6))
    const before = fingerprint(dir)
    writeFileSync(join(dir, 'config.json'), '{}')
    expect(fingerprint(dir)).toBe(before)
    writeFileSync(join(dir, 'model.safetensors'), Buffer.alloc(1e6, 1))
    expect(fingerprint(dir)).not.toBe(before)
  })
})
