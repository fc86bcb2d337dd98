import { describe, expect, it } from 'vitest'
import { buildQuestions } from '../../../../src/data/questions/build.js'
import { type BuildOptions, presets } from '../../../../src/data/questions/options.js'
import { answerAll } from '../../../../src/data/questions/read.js'
import type { QuestionRow } from '../../../../src/data/questions/row.js'
import { trainingRow } from '../../../../src/data/questions/training.js'
import { understand } from '../../../../src/data/questions/wording.js'
import { type Definition, measureOf } from '../../../../src/data/scenes/measure.js'
import { corners, orientedBox, turnAngle, turnAngleTo } from '../../../../src/data/scenes/oriented-box.js'
import { type BoxRecord, boxesOf, onlyBox, type SceneRecord } from '../../../../src/data/scenes/record.js'
import { randomStream } from '../../../../src/random.js'
import { randomAxes } from '../scenes/brute-force.js'

const categories = ['bed', 'chair', 'sofa', 'table', 'lamp', 'plant', 'tv', 'door', 'stove', 'pillow', 'clock']

function drawScene(name: string): SceneRecord {
  const random = randomStream('scene', name)
  const box = (): BoxRecord => {
    const sides = [random.uniform([0.1, 1.5]), random.uniform([0.1, 1.5]), random.uniform([0.1, 1])] as const
    return orientedBox(
      [random.uniform([0, 6]), random.uniform([0, 6]), random.uniform([0, 1])],
      sides,
      randomAxes(random),
    )
  }
  const known = random.shuffle(categories).slice(0, 9)
  const boxes = known.map((category) => [category, Array.from({ length: random.next() < 0.7 ? 1 : 3 }, box)] as const)
  return {
    dataset: 'home',
    video_path: '',
    room_size: random.uniform([10, 70]),
    room_center: [3, 3, 1],
    object_counts: Object.fromEntries(boxes.map(([category, list]) => [category, list.length])),
    object_bbox: Object.fromEntries(boxes),
    first_seen: Object.fromEntries(known.slice(0, 6).map((category) => [category, random.uniform([0, 30])])),
  }
}

const names = Array.from({ length: 60 }, (_, i) => `home${i}`)
const scenes = new Map(names.map((name) => [name, drawScene(name)]))
const rows = buildQuestions(scenes)

const of = (kind: string, some: readonly QuestionRow[] = rows): QuestionRow[] =>
  some.filter((row) => row.question_type === kind)

function sceneOf(row: QuestionRow): SceneRecord {
  const scene = scenes.get(row.scene_name)
  if (scene === undefined) throw new Error('no scene')
  return scene
}

function tally(values: readonly string[]): number[] {
  return [
    ...values
      .reduce((counts, value) => counts.set(value, (counts.get(value) ?? 0) + 1), new Map<string, number>())
      .values(),
  ]
}

function wrongAnswers(some: readonly QuestionRow[], definition: Definition): QuestionRow[] {
  const answers = answerAll(
    some.map((row) => ({ ...row, scene: row.scene_name })),
    scenes,
    definition,
  )
  return some.filter((row, i) => answers[i]?.answer !== row.ground_truth)
}

describe('buildQuestions', () => {
  it('asks every kind in the benchmark’s fields, at most six of a kind in a scene', () => {
    for (const kind of presets.benchmark.tasks) {
      const perScene = names.map((name) => of(kind).filter((row) => row.scene_name === name).length)
      expect(Math.max(...perScene)).toBe(kind === 'room_size_estimation' ? 1 : 6)
    }
    expect(Object.keys(rows[0] ?? {})).toEqual([
      ...['id', 'dataset', 'scene_name', 'question_type', 'question', 'options', 'ground_truth'],
    ])
    expect(rows.map((row) => row.id)).toEqual(rows.map((_, i) => i))
    expect(new Set(rows.map((row) => `${row.scene_name} ${row.question}`)).size).toBe(rows.length)
  })

  it('gives the answers that the records give', () => {
    expect(wrongAnswers(rows, 'benchmark')).toEqual([])
    expect(wrongAnswers(buildQuestions(scenes, { definition: 'exact', style: 'word' }), 'exact')).toEqual([])
  })

  it('makes every letter right equally often, and no direction a better guess than another', () => {
    for (const kind of ['object_rel_distance', 'object_rel_direction_hard', 'obj_appearance_order']) {
      const letters = tally(of(kind).map((row) => row.ground_truth))
      expect(letters).toHaveLength(4)
      expect(Math.max(...letters) - Math.min(...letters)).toBeLessThanOrEqual(1)
    }
    const word = (row: QuestionRow): string =>
      row.options?.find((one) => one.startsWith(row.ground_truth))?.slice(3) ?? ''
    const sides = tally(of('object_rel_direction_easy').map(word))
    expect(sides).toHaveLength(2)
    expect(Math.abs((sides[0] ?? 0) - (sides[1] ?? 0))).toBeLessThan(0.05 * of('object_rel_direction_easy').length)
  })

  it('lists objects in the order of the options', () => {
    for (const row of of('object_rel_distance')) {
      expect(row.question).toContain(`(${row.options?.map((option) => option.slice(3)).join(', ')})`)
    }
  })

  it('counts two objects and more, and measures from 20 cm', () => {
    expect(Math.min(...of('object_counting').map((row) => Number(row.ground_truth)))).toBe(3)
    expect(Math.min(...of('object_abs_distance').map((row) => Number(row.ground_truth)))).toBeGreaterThanOrEqual(0.2)
  })

  it('leaves out listed objects that are nearly as close, by more in large rooms', () => {
    for (const row of of('object_rel_distance')) {
      const asked = understand(row.question)
      if (asked?.kind !== 'object_rel_distance') throw new Error(row.question)
      const scene = sceneOf(row)
      const measure = measureOf('benchmark')
      const distances = asked.listed
        .map((name) => measure(boxesOf(scene, asked.target), boxesOf(scene, name)))
        .sort((a, b) => a - b)
      const gaps = distances.slice(1).map((distance, i) => distance - (distances[i] ?? 0))
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(scene.room_size > 40 ? 0.3 : 0.15)
      expect(distances[0]).toBeGreaterThanOrEqual(0.15)
      expect(onlyBox(scene, asked.target)).toBeDefined()
    }
    expect(of('object_rel_distance').some((row) => sceneOf(row).room_size > 40)).toBe(true)
  })

  it('leaves out directions near a boundary, of objects that reach across one, and of far or touching objects', () => {
    const boundaries = { easy: [0, 135, 225, 360], medium: [0, 135, 225, 360], hard: [0, 90, 180, 270, 360] }
    for (const [form, edges] of Object.entries(boundaries)) {
      for (const row of of(`object_rel_direction_${form}`)) {
        const asked = understand(row.question)
        if (asked === undefined || !('stand' in asked)) throw new Error(row.question)
        const scene = sceneOf(row)
        const boxes = [asked.stand, asked.facing, asked.query].map((name) => onlyBox(scene, name))
        const [a, b, c] = boxes
        if (a === undefined || b === undefined || c === undefined) throw new Error('not unique')
        const angle = turnAngle(a, b, c)
        expect(Math.min(...edges.map((edge) => Math.abs(edge - angle)))).toBeGreaterThanOrEqual(10)
        const sector = (degrees: number): number => edges.filter((edge) => edge <= degrees).length
        expect(corners(c).filter((corner) => sector(turnAngleTo(a, b, corner)) !== sector(angle)).length).toBeLessThan(
          3,
        )
        const measure = measureOf('benchmark')
        for (const distance of [measure([a], [b]), measure([a], [c]), measure([b], [c])]) {
          expect(distance >= 0.3 && distance <= 5).toBe(true)
        }
      }
    }
  })

  it('asks for orders of appearance that are a second apart, and offers four different orders', () => {
    for (const row of of('obj_appearance_order')) {
      expect(new Set(row.options?.map((option) => option.slice(3))).size).toBe(4)
      const asked = understand(row.question)
      if (asked?.kind !== 'obj_appearance_order') throw new Error(row.question)
      const times = asked.listed.map((name) => sceneOf(row).first_seen?.[name] ?? 0).sort((a, b) => a - b)
      expect(Math.min(...times.slice(1).map((time, i) => time - (times[i] ?? 0)))).toBeGreaterThanOrEqual(1)
    }
    const blind = new Map([...scenes].map(([name, scene]) => [name, { ...scene, first_seen: undefined }]))
    expect(buildQuestions(blind, { tasks: ['obj_appearance_order'] })).toEqual([])
  })

  it('obeys other margins', () => {
    const all = buildQuestions(scenes, { perScene: 1000 })
    const strict = buildQuestions(scenes, { perScene: 1000, filters: { angleMargin: 40, countAtLeast: 4 } })
    expect(of('object_counting', strict)).toEqual([])
    const left = of('object_rel_direction_hard', strict).length / of('object_rel_direction_hard', all).length
    expect(left).toBeGreaterThan(0.05)
    expect(left).toBeLessThan(0.3)
  })

  it('numbers the options, or drops them for the word', () => {
    const numbered = of('object_rel_distance', buildQuestions(scenes, { style: 'number' }))[0]
    expect(numbered?.options?.[0]).toMatch(/^1\. /)
    expect(numbered?.ground_truth).toMatch(/^[1-4]$/)
    const word = of('object_rel_direction_easy', buildQuestions(scenes, { style: 'word' }))[0]
    expect(word).toMatchObject({ options: null, ground_truth: expect.stringMatching(/^(left|right)$/) })
  })

  it('is the same for the same seed, other for another, and independent of what else is asked', () => {
    expect(buildQuestions(scenes)).toEqual(rows)
    expect(buildQuestions(scenes, { seed: 1 })).not.toEqual(rows)
    const sizes = (some: readonly QuestionRow[]) => of('object_size_estimation', some).map(({ id, ...rest }) => rest)
    expect(sizes(buildQuestions(scenes, { tasks: ['object_size_estimation'] }))).toEqual(sizes(rows))
  })

  it('draws no more than the limits, evenly', () => {
    const some = buildQuestions(scenes, { limits: { object_abs_distance: 50, room_size_estimation: 0 } })
    expect(of('object_abs_distance', some)).toHaveLength(50)
    expect(of('room_size_estimation', some)).toHaveLength(0)
    expect(new Set(of('object_abs_distance', some).map((row) => row.scene_name)).size).toBeGreaterThan(25)
  })
})

describe("the paper's preset", () => {
  const paper = buildQuestions(scenes, { preset: 'paper' })

  it('asks its six kinds in its words, measures between centres and answers in words', () => {
    expect(new Set(paper.map((row) => row.question_type)).size).toBe(6)
    expect(wrongAnswers(paper, 'paper')).toEqual([])
    expect(wrongAnswers(of('object_abs_distance', paper), 'exact').length).toBeGreaterThan(100)
    expect(paper.every((row) => row.options === null)).toBe(true)
    expect(of('object_counting', paper).some((row) => row.ground_truth === '1')).toBe(true)
    expect(of('object_abs_distance', paper)[0]?.question).toMatch(/^What is the distance between/)
  })

  it('has its numbers: 116.9 thousand in all', () => {
    expect(Object.values(presets.paper.limits).reduce((sum, limit) => sum + limit, 0)).toBe(116_900)
    expect(presets.paper.perScene).toBe(Number.POSITIVE_INFINITY)
  })

  it('asks about all pairs of a scene', () => {
    for (const [name, scene] of scenes) {
      const unique = Object.keys(scene.object_bbox).filter((category) => onlyBox(scene, category)).length
      const asked = of('object_abs_distance', paper).filter((row) => row.scene_name === name).length
      expect(asked).toBeGreaterThan((unique * (unique - 1)) / 2 - 4)
    }
  })
})

describe('trainingRow', () => {
  it('shows the film, then the question with its options and the instruction of the style', () => {
    const row = of('object_rel_distance')[0]
    if (row === undefined) throw new Error('no row')
    const made = trainingRow(row, 'letter', 'films')
    expect(made).toMatchObject({ answer: row.ground_truth, completion: row.ground_truth })
    expect(made.messages[0]?.content).toEqual([
      { type: 'video', video: `films/home/${row.scene_name}.mp4` },
      {
        type: 'text',
        text: [
          row.question,
          'Options:',
          ...(row.options ?? []),
          "Answer with the option's letter from the given choices directly.",
        ].join('\n'),
      },
    ])
  })
})

describe('bad options', () => {
  it.each<[object, RegExp]>([
    [{ definition: 'center' }, /^definition: expected one of benchmark, exact, paper, got 'center'/],
    [{ tasks: ['object_countin'] }, /^tasks: .*did you mean object_counting\?/],
    [{ tasks: [] }, /^tasks: name at least one/],
    [{ perScene: 0 }, /^perScene: expected a number of at least 1, got 0/],
    [{ filters: { angleMargin: Number.NaN } }, /^filters.angleMargin: expected a number of at least 0, got NaN/],
  ])('%o are refused', (options, message) => {
    expect(() => buildQuestions(scenes, options as BuildOptions)).toThrow(message)
  })

  it('include test scenes, unless they are allowed', () => {
    const scene = scenes.get('home0')
    if (scene === undefined) throw new Error('no scene')
    const held = new Map([['scene0011_00', scene]])
    expect(() => buildQuestions(held)).toThrow(/scene 'scene0011_00' is in ScanNet's validation split/)
    expect(buildQuestions(held, { allowTestScenes: true }).length).toBeGreaterThan(10)
  })
})
