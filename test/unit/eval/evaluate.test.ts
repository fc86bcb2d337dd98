/** The whole result: intervals, the Debiased subset, controls, warnings, and the four forms it is printed in. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { bootstrap, differences, intervals } from '../../../src/eval/bootstrap.js'
import { evaluatePredictions, isBenchmark } from '../../../src/eval/vsi-bench/evaluate.js'
import { published } from '../../../src/eval/vsi-bench/published.js'
import { readQuestions } from '../../../src/eval/vsi-bench/questions.js'
import { formatReport } from '../../../src/eval/vsi-bench/table.js'
import { taskNames } from '../../../src/eval/vsi-bench/tasks.js'
import { counting, direction, questions, rows } from './questions.js'

/** Twenty scenes with a counting question (2, 3, 2, 3 …) and a direction question (always B). */
const scenes = Array.from({ length: 20 }, (_, i) => `scene ${i}`)
const list = questions(
  ...scenes.flatMap((scene_name, i) => [
    { ...counting, id: `c${i}`, scene_name, ground_truth: String(2 + (i % 2)), pruned: i % 4 === 0 },
    { ...direction, id: `d${i}`, scene_name, pruned: false },
  ]),
)
const right = list.map(({ ground_truth }) => ground_truth)

describe('bootstrap', () => {
  const input = {
    clusters: ['a', 'a', 'b', 'b', 'c', 'c'],
    groups: [0, 0, 0, 0, 0, 0],
    groupCount: 1,
    series: [
      [1, 1, 0, 0, 0, 0],
      [1, 0, 1, 0, 1, 0],
    ],
    statistic: (means: readonly number[]) => means,
  }
  it('draws whole scenes: a series that differs within scenes only does not move', () => {
    const [between = [], within = []] = bootstrap(input, { resamples: 200 })
    expect(intervals(within)).toEqual([[0.5, 0.5]])
    const seen = [...new Set(between.flat().map((value) => value.toFixed(3)))].sort()
    expect(seen).toEqual(['0.000', '0.333', '0.667', '1.000'])
    expect(intervals(differences(between, between))).toEqual([[0, 0]])
  })
  it('gives the same draws for the same seed and others for another', () => {
    const draws = (seed: number) => bootstrap(input, { resamples: 50, seed })[0]
    expect(draws(1)).toEqual(draws(1))
    expect(draws(1)).not.toEqual(draws(2))
  })
  it('covers the truth about as often as it says', () => {
    // 200 sets of 60 scenes, each right with probability 0.3 by a fixed sequence of numbers.
    let state = 1
    const uniform = () => {
      state = (state * 48271) % 2147483647
      return state / 2147483647
    }
    const covered = Array.from({ length: 200 }, () => {
      const points = Array.from({ length: 60 }, () => Number(uniform() < 0.3))
      const clusters = points.map((_, i) => String(i))
      const one = { ...input, clusters, groups: points.map(() => 0), series: [points] }
      const [span] = intervals(bootstrap(one, { resamples: 300 })[0] ?? [])
      return span !== undefined && span[0] <= 0.3 && 0.3 <= span[1]
    })
    const share = covered.filter(Boolean).length / covered.length
    expect(share).toBeGreaterThan(0.88)
    expect(share).toBeLessThan(0.99)
  })
})

describe('evaluatePredictions', () => {
  it('gives 100 for the right answers, with intervals that hold the score', () => {
    const { scores, intervals: spans, counts, questions: count, warnings } = evaluatePredictions(list, right)
    expect(scores.average).toBe(100)
    expect(spans.average).toEqual([100, 100])
    expect(spans.tasks.route_planning).toBeNull()
    expect([count, counts.object_counting, counts.route_planning]).toEqual([40, 20, 0])
    // "B" is always right: no control is beaten there.
    expect(warnings.join('\n')).toContain('RelDir 100.0 against 100.0')
    expect(warnings.join('\n')).not.toContain('Count')
  })

  it('warns of the tasks that a control answers about as well, and only of those', () => {
    const blindAnswer = list.map(({ question_type: type }) => (type === 'object_counting' ? '2' : 'B'))
    const { warnings, controls } = evaluatePredictions(list, blindAnswer)
    expect(warnings[0]).toMatch(/^not clearly above "blind: most frequent answer" in Count .* against .*, RelDir/)
    expect(controls.map(({ name }) => name)).toContain('best single answer in hindsight')
  })

  it('scores the questions that are not pruned as the Debiased subset', () => {
    const wrongWherePruned = list.map((question) => (question.pruned ? '9' : question.ground_truth))
    const { scores, debiased } = evaluatePredictions(list, wrongWherePruned)
    expect(debiased?.questions).toBe(35)
    expect(debiased?.scores.average).toBe(100)
    expect(scores.tasks.object_counting).toBeCloseTo(75, 10)
    expect(evaluatePredictions(questions(counting, direction), ['2', 'B']).debiased).toBeUndefined()
  })

  it('counts answers that the scorer cannot read', () => {
    const { unreadable } = evaluatePredictions(
      list,
      right.map((text) => `(${text})`),
    )
    expect(unreadable).toMatchObject({ object_counting: 20, object_rel_direction: 20, route_planning: 0 })
  })
})

describe('formatReport', () => {
  const evaluation = evaluatePredictions(list, right)
  const report = { name: 'my_model, v2', evaluation, settings: { frames: 32 }, isBenchmark: true }
  it('writes JSON with average and tasks in points of 100, null where nothing was asked', () => {
    const json = JSON.parse(formatReport(report, 'json'))
    expect(json).toMatchObject({ benchmark: 'vsi-bench', average: 100, settings: { frames: 32 } })
    expect(Object.keys(json.tasks)).toEqual([...taskNames])
    expect(json.tasks).toMatchObject({ object_counting: 100, obj_appearance_order: null })
    expect(json.debiased).toMatchObject({ average: 100, questions: 35 })
    expect(json.published).toHaveLength(published.length)
  })
  it('writes CSV with as many cells in every line', () => {
    const lines = formatReport(report, 'csv').trimEnd().split('\n')
    expect(lines[0]).toBe(`name,average,${taskNames.join(',')}`)
    expect(lines[1]).toBe('"my_model, v2",100,100,,,,,100,,')
    expect(formatReport({ ...report, name: 'say "x"' }, 'csv')).toContain('\n"say ""x""",100,')
    const cells = lines.map((line) => line.replace(/"[^"]*"/g, 'quoted').split(',').length)
    expect(new Set(cells)).toEqual(new Set([10]))
  })
  it('writes a LaTeX table, with the name made safe', () => {
    const latex = formatReport({ ...report, name: 'a_b 50% #1 \\x' }, 'latex')
    expect(latex).toContain('a\\_b 50\\% \\#1 \\textbackslash{}x & 100.0 & 100.0 & - &')
    expect(latex.match(/\\\\$/gm)).toHaveLength(1 + 2 + 3 + published.filter(({ main }) => main).length)
  })
  it('writes text with the controls, the published rows and their difference told, or none for a set of one’s own', () => {
    const text = formatReport(report, 'text')
    expect(text).toMatch(/blind: constant per category +\S+/)
    expect(text).toMatch(/vsGRPO-2B +35\.4 +53\.6/)
    expect(text).toContain('on all 5130 questions, not on these')
    expect(formatReport({ ...report, isBenchmark: false }, 'text')).not.toContain('vsGRPO')
    expect(isBenchmark(list)).toBe(true)
    expect(isBenchmark(questions({ ...counting, dataset: 'rooms' }))).toBe(false)
  })
  it('quotes published rows whose average is the mean of their columns', () => {
    for (const { name, average, tasks } of published) {
      const columns = Object.values(tasks).filter((value) => value !== null)
      const mean = columns.reduce((sum, value) => sum + value, 0) / columns.length
      if (average === null) continue
      // The benchmark's frequency row differs from its own columns by 1.4; the paper's rows are rounded.
      expect(Math.abs(mean - average), name).toBeLessThan(name.includes('benchmark') ? 1.5 : 0.15)
    }
  })
})

const dir = process.env.VSGRPO_VSIBENCH_DIR

describe.skipIf(dir === undefined)('on the questions of VSI-Bench', () => {
  const lines = dir === undefined ? [] : readFileSync(join(dir, 'questions.jsonl'), 'utf8').trimEnd().split('\n')
  const read = () => readQuestions(rows(lines.map((line) => JSON.parse(line))), 'questions.jsonl')

  it('finds the best constants that the published code, run in Python, finds on these 3,059', () => {
    const all = read()
    const { controls } = evaluatePredictions(
      all,
      all.map(() => ''),
    )
    const found = controls.find(({ name }) => name.includes('hindsight'))?.scores
    const expected = [58.91812865497076, 31.909650924024636, 30.285234899328863, 33.35]
    expected.push(25.277161862527713, 36.394300144300146, 29.230769230769234, 25.438596491228072)
    taskNames.forEach((task, i) => {
      expect(found?.tasks[task]).toBeCloseTo(expected[i] ?? 0, 9)
    })
    expect(found?.average).toBeCloseTo(33.85048027589367, 9)
    // On all 5,130 questions: 61.8, 31.6, 29.8, 33.1, 25.1, 36.3, 29.4, 25.2.
    const whole = [61.8, 31.6, 29.8, 33.1, 25.1, 36.3, 29.4, 25.2]
    whole.forEach((value, i) => {
      expect(Math.abs((expected[i] ?? 0) - value)).toBeLessThan(3)
    })
  })

  it('gives the constants that were best on all 5,130 what the best ones of these 3,059 are given, but for a point', () => {
    const all = read()
    const constants: Record<string, string> = { object_counting: '2', object_abs_distance: '1.9' }
    Object.assign(constants, { object_size_estimation: '93', room_size_estimation: '16.2' })
    const { tasks } = evaluatePredictions(
      all,
      all.map(({ question_type: type }) => constants[type] ?? ''),
    ).scores
    const [count, distance, size, room] = taskNames.map((task) => tasks[task]?.toFixed(2))
    expect([count, distance, size, room]).toEqual(['58.92', '31.48', '30.15', '32.10'])
  })

  it('warns that object size is guessed better blind than by the published 2B model', () => {
    const all = read()
    const { controls } = evaluatePredictions(
      all,
      all.map(({ ground_truth }) => ground_truth),
    )
    const size = controls.find(({ name }) => name.includes('per category'))?.scores.tasks.object_size_estimation
    expect(size).toBeGreaterThan(52.7)
  })
})
