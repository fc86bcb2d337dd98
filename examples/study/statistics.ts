/**
 * Means with two kinds of doubt: over other test rooms (bootstrap over whole rooms) and over other seeds of the training
 * (Student's t over the seeds' means). Points of 100 throughout. Pure.
 */
import { bootstrap, differences, intervals, type Replicates } from '../../src/eval/bootstrap.js'
import { combine } from '../../src/eval/vsi-bench/score.js'
import { questionTypes, type TaskName, taskNames } from '../../src/eval/vsi-bench/tasks.js'
import type { Line } from './lines.js'
import type { StudyRow } from './room-rows.js'

/** What is compared: the average over tasks, a task, means of some tasks, or by how much one of them exceeds the other. */
const aspects = ['average', ...taskNames, 'numbers', 'choices', 'numbers over choices'] as const
export type Aspect = (typeof aspects)[number]

const numbers = taskNames.slice(0, 4)
/** Trained tasks that ask for a word. */
const choices: readonly TaskName[] = ['object_rel_distance', 'object_rel_direction']

export type Interval = readonly [number, number]

export interface Estimate {
  readonly mean: number
  /** 95 % over test rooms. */
  readonly rooms: Interval
  /** 95 % over seeds; absent with fewer than two. */
  readonly seeds?: Interval
}

export interface Statistics {
  /** Undefined for tasks without questions. */
  estimate(line: Line, aspect: Aspect): Estimate | undefined
  /** a - b on the same questions, seed by seed; what was not trained is the same for all seeds. */
  difference(a: Line, b: Line, aspect: Aspect): Estimate | undefined
}

export function statisticsOf(rows: readonly StudyRow[], lines: readonly Line[]): Statistics {
  const groups = rows.map((row) => questionTypes.indexOf(row.question_type))
  const series = lines.map(({ points }) => meanPoints(points))
  const input = { clusters: rows.map((row) => row.scene_name), groups, groupCount: questionTypes.length, series }
  const replicates = bootstrap({ ...input, statistic: aspectsOf })
  const replicatesOf = new Map(lines.map((line, i) => [line, replicates[i] ?? []]))
  const bySeed = new Map(lines.map((line) => [line, line.points.map((points) => aspectsOf(typeMeans(points, groups)))]))
  const of = (line: Line, aspect: Aspect) =>
    (bySeed.get(line) ?? []).map((values) => 100 * (values[aspects.indexOf(aspect)] ?? Number.NaN))
  return {
    estimate: (line, aspect) => estimated(of(line, aspect), replicatesOf.get(line) ?? [], aspect),
    difference(a, b, aspect) {
      const [own, other] = [of(a, aspect), of(b, aspect)]
      const paired = own.map((value, s) => value - (other[isTrained(b) ? s : 0] ?? Number.NaN))
      const known = paired.filter(Number.isFinite)
      return estimated(known, differences(replicatesOf.get(a) ?? [], replicatesOf.get(b) ?? []), aspect)
    },
  }
}

/** One seed of a trained model says nothing of others. */
function isTrained({ cell }: Line): boolean {
  return cell !== undefined && cell.method !== 'base'
}

function estimated(seeds: readonly number[], replicates: Replicates, aspect: Aspect): Estimate | undefined {
  const interval = intervals(replicates.map((row) => [100 * (row[aspects.indexOf(aspect)] ?? Number.NaN)]))[0]
  const mean = meanOf(seeds)
  if (interval === undefined || Number.isNaN(mean)) return undefined
  return { mean, rooms: interval, ...(seeds.length > 1 ? { seeds: seedInterval(seeds) } : {}) }
}

/** Means of the types to all aspects, in their order. */
function aspectsOf(means: readonly number[]): number[] {
  const { average, tasks } = combine(means)
  const over = (names: readonly TaskName[]) => meanOf(names.map((name) => tasks[taskNames.indexOf(name)] ?? Number.NaN))
  return [average, ...tasks, over(numbers), over(choices), over(numbers) - over(choices)]
}

function typeMeans(points: Float64Array, groups: readonly number[]): number[] {
  const sums = questionTypes.map(() => ({ sum: 0, count: 0 }))
  points.forEach((value, q) => {
    const own = sums[groups[q] ?? 0]
    if (!own) return
    own.sum += value
    own.count++
  })
  return sums.map(({ sum, count }) => sum / count)
}

/** [Q] over seeds. */
function meanPoints(points: readonly Float64Array[]): Float64Array {
  return Float64Array.from(points[0] ?? [], (_, q) => meanOf(points.map((own) => own[q] ?? 0)))
}

/** Two-sided 95 % quantiles of Student's t for 1 to 9 degrees of freedom. */
const studentT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]

/** Where the mean over other seeds would lie. Throws RangeError for fewer than two or more than ten values. */
export function seedInterval(values: readonly number[]): Interval {
  const t = studentT[values.length - 2]
  if (t === undefined) throw new RangeError(`expected 2 to 10 seeds, got ${values.length}`)
  const mean = meanOf(values)
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
  const half = t * Math.sqrt(variance / values.length)
  return [mean - half, mean + half]
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
