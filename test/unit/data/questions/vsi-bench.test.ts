/** The answers from VSI-Bench's own records against its answers; needs VSGRPO_VSIBENCH_DIR and is skipped without it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { buildQuestions } from '../../../../src/data/questions/build.js'
import { answerAll, readQuestions } from '../../../../src/data/questions/read.js'
import { readScenes } from '../../../../src/data/scenes/read.js'
import type { SceneRecord } from '../../../../src/data/scenes/record.js'

const dir = process.env.VSGRPO_VSIBENCH_DIR

interface Compared {
  readonly kind: string
  readonly answer: string | null
  readonly truth: string
}

function readBoth(folder: string): Map<string, SceneRecord> {
  return readScenes(['arkitscenes', 'scannetpp'].map((name) => join(folder, `${name}_meta_info_val.json`)))
}

function compare(folder: string): Compared[] {
  const scenes = readBoth(folder)
  const file = join(folder, 'questions.jsonl')
  const answers = answerAll(readQuestions(file), scenes, 'benchmark')
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  return lines.map((line, i) => {
    const row: { question_type: string; ground_truth: string } = JSON.parse(line)
    return { kind: row.question_type, answer: answers[i]?.answer ?? null, truth: row.ground_truth }
  })
}

/** The records five times, under names that are no test scenes'. */
function thousandScenes(folder: string): Map<string, SceneRecord> {
  const copies = [0, 1, 2, 3, 4].flatMap((copy) =>
    [...readBoth(folder)].map(([name, scene]): [string, SceneRecord] => [`copy ${copy} of ${name}`, scene]),
  )
  return new Map(copies)
}

describe.skipIf(dir === undefined)('a thousand scene records', () => {
  it('give their questions in under a minute', () => {
    const scenes = thousandScenes(dir ?? '')
    const { user, system } = process.cpuUsage()
    const rows = buildQuestions(scenes)
    const spent = process.cpuUsage({ user, system })
    const seconds = (spent.user + spent.system) / 1e6
    console.log(`vsi-bench: ${rows.length} questions about ${scenes.size} scenes in ${seconds.toFixed(1)} s of CPU`)
    expect(scenes.size).toBe(1000)
    expect(rows.length).toBeGreaterThan(10_000)
    expect(seconds).toBeLessThan(60)
  })
})

describe.skipIf(dir === undefined)('answers to VSI-Bench’s questions from its records', () => {
  const all = dir === undefined ? [] : compare(dir)

  /** The share of rows of a kind whose answer passes. */
  function share(kind: string, passes: (row: Compared) => boolean): number {
    const rows = all.filter((row) => row.kind === kind)
    const passed = rows.filter(passes).length
    console.log(`vsi-bench: ${kind}: ${passed} of ${rows.length} (${((100 * passed) / rows.length).toFixed(1)} %)`)
    expect(rows.length).toBeGreaterThan(100)
    return passed / rows.length
  }
  const same = ({ answer, truth }: Compared): boolean => answer === truth

  it.each([
    'room_size_estimation',
    'object_size_estimation',
    'object_rel_direction_easy',
    'object_rel_direction_medium',
    'object_rel_direction_hard',
    'object_rel_distance',
  ])('are the same for every question of %s', (kind) => {
    expect(share(kind, same)).toBe(1)
  })

  it('count as the benchmark does, but for answers that people corrected after the records were made', () => {
    expect(share('object_counting', same)).toBeGreaterThanOrEqual(0.99)
  })

  it('measure as the benchmark does: within 10 cm, and nearly always to the digit', () => {
    const within = ({ answer, truth }: Compared): boolean => Math.abs(Number(answer) - Number(truth)) < 0.1 + 1e-9
    expect(share('object_abs_distance', within)).toBeGreaterThanOrEqual(0.98)
    expect(share('object_abs_distance', same)).toBeGreaterThanOrEqual(0.98)
  })

  it('are null for what records do not say: orders of appearance and routes', () => {
    expect(share('obj_appearance_order', ({ answer }) => answer === null)).toBe(1)
    expect(share('route_planning', ({ answer }) => answer === null)).toBe(1)
  })
})
