/**
 * How far scores would move with other scenes: whole scenes are drawn again with replacement, as questions about one room
 * stand or fall together. Seeded; the same draws for every series, so differences are paired.
 */
import { randomStream } from '../random.js'

export interface BootstrapOptions {
  /** Times that the scenes are drawn. Default 1000. */
  readonly resamples?: number
  /** Default 0. */
  readonly seed?: number
}

/** Replicates of one series: [resamples][values], whatever `statistic` returns. */
export type Replicates = readonly (readonly number[])[]

export interface BootstrapInput {
  /** [Q] scene of each question. */
  readonly clusters: readonly string[]
  /** [Q] which mean a question belongs to, 0 to groups - 1. */
  readonly groups: readonly number[]
  readonly groupCount: number
  /** Each [Q]: points of one answerer. */
  readonly series: readonly ArrayLike<number>[]
  /** Group means (NaN: none drawn) to the numbers that are wanted. */
  readonly statistic: (means: readonly number[]) => readonly number[]
}

/** Replicates for each series, in order. */
export function bootstrap(input: BootstrapInput, options: BootstrapOptions = {}): Replicates[] {
  const { resamples = 1000, seed = 0 } = options
  const { groupCount, statistic } = input
  const tables = clusterTables(input)
  const random = randomStream('bootstrap', seed)
  const replicates: (readonly number[])[][] = input.series.map(() => [])
  for (let r = 0; r < resamples; r++) {
    const total = new Float64Array(groupCount * (input.series.length + 1))
    for (let draw = 0; draw < tables.length; draw++) {
      const table = tables[Math.floor(random.next() * tables.length)]
      if (table) addInto(total, table)
    }
    replicates.forEach((own, s) => {
      own.push(statistic(groupMeans(total, s, groupCount)))
    })
  }
  return replicates
}

/** The bounds between which the middle `level` of each value lies; undefined where a value was never there. */
export function intervals(replicates: Replicates, level = 0.95): ([number, number] | undefined)[] {
  const width = replicates[0]?.length ?? 0
  return Array.from({ length: width }, (_, i) => {
    const values = Float64Array.from(replicates, (row) => row[i] ?? Number.NaN)
      .filter((value) => !Number.isNaN(value))
      .sort()
    if (values.length === 0) return undefined
    return [quantile(values, (1 - level) / 2), quantile(values, (1 + level) / 2)]
  })
}

/** Replicates of a - b. */
export function differences(a: Replicates, b: Replicates): Replicates {
  return a.map((row, r) => row.map((value, i) => value - (b[r]?.[i] ?? Number.NaN)))
}

/** One table per cluster, [1 + series, groups]: the numbers of questions, then the sums of points of each series. */
function clusterTables({ clusters, groups, groupCount, series }: BootstrapInput): Float64Array[] {
  const tables = new Map<string, Float64Array>()
  clusters.forEach((cluster, q) => {
    const table = tables.get(cluster) ?? new Float64Array(groupCount * (series.length + 1))
    tables.set(cluster, table)
    const group = groups[q] ?? 0
    table[group] = (table[group] ?? 0) + 1
    series.forEach((points, s) => {
      const at = groupCount * (s + 1) + group
      table[at] = (table[at] ?? 0) + (points[q] ?? 0)
    })
  })
  return [...tables.values()]
}

function addInto(total: Float64Array, table: Float64Array): void {
  for (let i = 0; i < total.length; i++) total[i] = (total[i] ?? 0) + (table[i] ?? 0)
}

function groupMeans(total: Float64Array, series: number, groupCount: number): number[] {
  const sums = total.subarray(groupCount * (series + 1), groupCount * (series + 2))
  return Array.from(sums, (sum, group) => sum / (total[group] ?? 0))
}

/** Linear between neighbours, as numpy's default. */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1)
  const low = sorted[Math.floor(at)] ?? 0
  const high = sorted[Math.ceil(at)] ?? 0
  return low + (high - low) * (at - Math.floor(at))
}
