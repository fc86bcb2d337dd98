/** Asking a model: one part holds whole scenes, answers are kept, and a run goes on where it stopped. */
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AnswerFile, fingerprint } from '../../../src/eval/answers.js'
import { type Answerer, type Asked, askAll } from '../../../src/eval/ask.js'
import { evenIndices, findVideos } from '../../../src/eval/videos.js'
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
        const media = [{ key: scene, patches: new Float32Array(patches), grid: [1, 1, 1] as const }]
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

const { signal } = new AbortController()

describe('askAll', () => {
  it('asks greedily, questions about one scene together, whatever their order in the file', async () => {
    const { policy, parts, given } = fakePolicy()
    const answers = new AnswerFile(undefined, settings, [0, 1, 2])
    const list = [ask('a', 0), ask('b', 1), ask('a', 2)]
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
    const ids = [0, 1, 'x']
    const first = new AnswerFile(file, settings, ids)
    await askAll(list.slice(0, 2), { policy: fakePolicy().policy, answers: first, maxNewTokens: 16, signal })
    first.close()
    appendFileSync(file, '{"id":"x","predic')
    const second = new AnswerFile(file, settings, ids)
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
    expect(JSON.parse(rows[2] ?? '')).toMatchObject({ prediction: '<1>', settings })
  })

  it('stops at Ctrl-C with the parts that are done on disk', async () => {
    const controller = new AbortController()
    const file = join(dir, 'answers.jsonl')
    const { policy } = fakePolicy(2e8)
    const answers = new AnswerFile(file, settings, [0, 1])
    const onProgress = (): void => controller.abort()
    const work = askAll([ask('a', 0), ask('b', 1)], {
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
  const row = { id: 0, prediction: '4', completion: '4', finishReason: 'stop', settings }
  it.each([
    [{ ...row, settings: { ...settings, model: 'n' } }, 'it holds answers with model "n", not m; name another file'],
    [{ ...row, settings: undefined }, 'it holds answers with model unknown, not m'],
    [{ ...row, id: 7 }, 'it holds answers to other questions: 7'],
    [{ id: 0, messages: [] }, 'it holds rows without a prediction (id 0)'],
  ])('does not mix in %j, and leaves it as it was', (value, message) => {
    const path = file(`${JSON.stringify(value)}\n`)
    expect(() => new AnswerFile(path, settings, [0])).toThrow(message)
    expect(readFileSync(path, 'utf8')).toBe(`${JSON.stringify(value)}\n`)
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

describe('findVideos', () => {
  const make = (path: string): void => {
    mkdirSync(join(dir, path, '..'), { recursive: true })
    writeFileSync(join(dir, path), '')
  }
  const [question] = questions(counting)
  const one = question ? [question] : []

  it.each(['arkitscenes/s0.mp4', 's0.mkv', 'videos/s0.mp4', 'videos/arkitscenes/s0.webm'])('finds %s', (path) => {
    make(path)
    expect(findVideos(one, dir, 32)).toEqual(new Map([['arkitscenes/s0', join(dir, path)]]))
  })

  it('takes evenly spaced frames of a folder, in the order of their numbers', () => {
    for (let i = 0; i < 12; i++) make(`frames/s0/${i}.png`)
    make('frames/s0/notes.txt')
    const frames = (count: number) => findVideos(one, dir, count).get('arkitscenes/s0')
    expect(frames(4)).toEqual([0, 3, 7, 11].map((i) => join(dir, `frames/s0/${i}.png`)))
    expect(frames(32)).toHaveLength(12)
  })

  it('names the scenes without a video and where one was looked for', () => {
    make('arkitscenes/other.mp4')
    expect(() => findVideos(one, dir, 32)).toThrow(
      /expected a video for each of 1 scenes, got none for 1: arkitscenes\/s0; question 0 needs arkitscenes\/s0.mp4, or a folder s0/,
    )
    expect(() => findVideos(one, join(dir, 'nowhere'), 32)).toThrow('expected a folder, got none of that name')
  })

  it('spaces indices as numpy.linspace(0, N - 1, n, dtype=int) does', () => {
    expect(evenIndices(100, 8)).toEqual([0, 14, 28, 42, 56, 70, 84, 99])
    expect(evenIndices(1800, 32).slice(-3)).toEqual([1682, 1740, 1799])
    expect([evenIndices(3, 8), evenIndices(9, 1)]).toEqual([[0, 1, 2], [0]])
  })
})
