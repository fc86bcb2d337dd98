/**
 * `vsgrpo eval` with the demo's checkpoint: generated rooms take the path that VSI-Bench takes, and a film gives the same
 * answers as its frames, in a folder, in a zip archive and in the Hub's cache.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { runCommandLine } from '../../src/cli/program.js'
import { makeRooms } from '../../src/data/rooms/dataset.js'
import { writeRooms } from '../../src/data/rooms/write.js'
import { Processor } from '../../src/processing/processor.js'
import { ffmpeg, film } from '../ffmpeg.js'
import { keepPrinted } from '../printed.js'
import { zipOf } from '../unit/data/zip-fixture.js'
import { base, readRows, writeRows } from './cli.js'

interface Row {
  readonly id: string
  readonly question_type: string
  readonly prediction: string
  readonly completion: string
  readonly score: number
  readonly [column: string]: unknown
}

const printed = keepPrinted()
let dir = ''
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vsgrpo-eval-'))
  await writeRooms(join(dir, 'rooms'), makeRooms({ recipe: 'demo', split: 'test', count: 12, seed: 5 }))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))
beforeEach(() => {
  vi.stubEnv('VSGRPO_FFMPEG', ffmpeg)
})
afterEach(() => vi.unstubAllEnvs())

const cli = (...args: string[]) => runCommandLine(args)

async function evaluate(questions: string, ...args: string[]) {
  printed.out = ''
  const fixed = ['--benchmark', 'vsi-bench', '--questions', questions, '--model', base, '--dtype', 'float32']
  expect(await cli('eval', ...fixed, '--format', 'json', ...args), printed.err).toBe(0)
  return JSON.parse(printed.out)
}

describe('the rooms of the demo', () => {
  const rooms = () => join(dir, 'rooms', 'questions.jsonl')
  const asDemo = ['--prompt', 'row', '--accept-names']

  it('are asked and scored as VSI-Bench is, with blind controls, intervals and their own warnings', async () => {
    const output = join(dir, 'rooms.jsonl')
    const result = await evaluate(rooms(), ...asDemo, '--output', output)
    const answers = readRows<Row>(output)
    expect(answers).toHaveLength(result.questions)
    expect(result).toMatchObject({ benchmark: 'vsi-bench', published: [], debiased: null })
    expect(Object.keys(result.counts).filter((task) => result.counts[task] > 0)).toEqual([
      ...['object_counting', 'object_rel_distance', 'object_rel_direction'],
    ])
    // The row's points are those that the table's mean is of; letters are known only where names are accepted.
    const counted = answers.filter(({ question_type: type }) => type === 'object_counting')
    const mean = (100 * counted.reduce((sum, { score }) => sum + score, 0)) / counted.length
    expect(result.tasks.object_counting).toBeCloseTo(mean, 9)
    expect(result.average).toBeGreaterThan(40)
    expect(result.blind.map(({ name }: { name: string }) => name)).toEqual([
      ...['blind: most frequent answer', 'blind: constant per category', 'best single answer in hindsight'],
    ])
    const [low, high] = result.intervals.average
    expect(low).toBeLessThan(result.average)
    expect(high).toBeGreaterThan(result.average)
    expect(result.warnings.join()).toContain('not clearly above "blind: constant per category"')
  })

  it('are not asked again when a run goes on, and end the same', async () => {
    const output = join(dir, 'resumed.jsonl')
    const whole = await evaluate(rooms(), ...asDemo, '--output', output)
    const before = readFileSync(output, 'utf8')
    writeFileSync(output, before.slice(0, before.length * 0.6))
    printed.err = ''
    expect(await evaluate(rooms(), ...asDemo, '--output', output)).toEqual(whole)
    expect(printed.err).toMatch(/resumed.jsonl: \d\d of 36 questions are answered already/)
    const sorted = (text: string) => text.trimEnd().split('\n').sort()
    expect(sorted(readFileSync(output, 'utf8'))).toEqual(sorted(before))
    expect(await evaluate(rooms(), ...asDemo, '--output', output)).toEqual(whole)
  })
})

describe('a film', () => {
  /** Some questions about one scene of VSI-Bench's kind. */
  const questions = () => join(dir, 'walk.jsonl')
  const place = (name: string): string => {
    mkdirSync(join(dir, name), { recursive: true })
    return join(dir, name)
  }

  beforeAll(() => {
    const frames = readRows<{ messages: { content: { video: string[] }[] }[] }>(join(dir, 'rooms', 'questions.jsonl'))
    const pictures = new Set(frames.flatMap(({ messages }) => messages[0]?.content[0]?.video ?? []))
    const folder = place('pictures/frames/w1')
    ;[...pictures].forEach((picture, i) => {
      copyFileSync(join(dir, 'rooms', picture), join(folder, `${String(i).padStart(3, '0')}.png`))
    })
    film(join(folder, '%03d.png'), join(place('films/scannet'), 'w1.mp4'))
    const asked = ['bed', 'chair', 'sofa', 'table', 'lamp', 'door'].map((category, id) => ({
      ...{ id, dataset: 'scannet', scene_name: 'w1', question_type: 'object_counting' },
      ...{ question: `How many ${category}(s) are in this room?`, options: null, ground_truth: '2' },
    }))
    writeRows(questions(), asked)
    writeFileSync(
      join(place('zipped'), 'scannet.zip'),
      zipOf([{ name: 'scannet/w1.mp4', content: readFileSync(join(dir, 'films/scannet/w1.mp4')), deflate: true }]),
    )
  })

  async function answers(frames: number, ...args: string[]): Promise<unknown[]> {
    const output = join(mkdtempSync(join(dir, 'answers-')), 'a.jsonl')
    await evaluate(questions(), '--frames', String(frames), '--output', output, ...args)
    return readRows<Row>(output).map(({ id, completion, finishReason }) => ({ id, completion, finishReason }))
  }

  it.each([8, 16, 32])('of 48 pictures gives with %i frames the answers that the pictures give', async (frames) => {
    const fromFilm = await answers(frames, '--videos', join(dir, 'films'))
    expect(fromFilm).toHaveLength(6)
    expect(fromFilm).toEqual(await answers(frames, '--videos', join(dir, 'pictures')))
    expect(fromFilm).toEqual(await answers(frames, '--videos', join(dir, 'zipped')))
  })

  it('is found in the Hub’s cache where no --videos is given', async () => {
    const commit = 'e'.repeat(40)
    const repo = 'hub/datasets--nyu-visionx--VSI-Bench'
    const snapshot = place(`home/${repo}/snapshots/${commit}`)
    writeFileSync(join(place(`home/${repo}/refs`), 'main'), commit)
    copyFileSync(join(dir, 'zipped/scannet.zip'), join(snapshot, 'scannet.zip'))
    vi.stubEnv('HF_HOME', join(dir, 'home'))
    expect(await answers(16)).toEqual(await answers(16, '--videos', join(dir, 'films')))
  })

  it.each([8, 16, 32])('is decoded to exactly the %i pictures that numpy.linspace points at', async (frames) => {
    const load = () => Processor.load(base, { sampling: { frames, spacing: 'ends' } })
    const ask = async (video: string | string[]) => {
      const content = [{ type: 'video', video } as const, { type: 'text', text: 'Which?' } as const]
      const { media } = await (await load()).prompt([{ role: 'user', content }])
      return media[0]
    }
    const indices = Array.from({ length: frames }, (_, i) => Math.floor((i * 47) / (frames - 1)))
    const pictures = indices.map((i) => join(dir, 'pictures/frames/w1', `${String(i).padStart(3, '0')}.png`))
    const [decoded, expected] = [await ask(join(dir, 'films/scannet/w1.mp4')), await ask(pictures)]
    expect(decoded?.grid).toEqual([frames / 2, 4, 4])
    expect(decoded?.patches).toEqual(expected?.patches)
  })

  it('that is cut off is told by its path, before any answer is made', async () => {
    const whole = readFileSync(join(dir, 'films/scannet/w1.mp4'))
    writeFileSync(join(place('broken/scannet'), 'w1.mp4'), whole.subarray(0, whole.length / 2))
    const model = ['--model', base, '--videos', join(dir, 'broken')]
    expect(await cli('eval', '--benchmark', 'vsi-bench', '--questions', questions(), ...model)).toBe(2)
    expect(printed.err).toMatch(/walk.jsonl:1 \(id 0\): .*broken\/scannet\/w1.mp4: ffmpeg cannot read it/)
  })
})
