/**
 * Gathers numbers between two log rows: weighted means, sums per step, extremes, and values of which the last counts. Means are
 * weighted by what they are means of, so how the work was cut into micro-batches does not show.
 */
import type { Metrics } from '../types.js'

export class Meter {
  private readonly means = new Map<string, { sum: number; weight: number }>()
  private readonly values = new Map<string, number>()
  private readonly sums = new Map<string, number>()
  private steps = 0

  /** Adds a value, or a mean over `weight` things, to a mean. NaN and weight 0 are left out. */
  mean(name: string, value: number, weight = 1): void {
    if (Number.isNaN(value) || weight === 0) return
    const entry = this.means.get(name) ?? { sum: 0, weight: 0 }
    this.means.set(name, { sum: entry.sum + value * weight, weight: entry.weight + weight })
  }

  /** Adds each of the values to a mean. */
  each(name: string, values: Iterable<number>): void {
    for (const value of values) this.mean(name, value)
  }

  /** Adds to a sum that is logged per step. */
  sum(name: string, value: number): void {
    this.sums.set(name, (this.sums.get(name) ?? 0) + value)
  }

  /** Ends a step. */
  endStep(): void {
    this.steps++
  }

  max(name: string, value: number): void {
    this.values.set(name, Math.max(this.values.get(name) ?? Number.NEGATIVE_INFINITY, value))
  }

  min(name: string, value: number): void {
    this.values.set(name, Math.min(this.values.get(name) ?? Number.POSITIVE_INFINITY, value))
  }

  last(name: string, value: number): void {
    this.values.set(name, value)
  }

  /** Everything so far, names sorted and behind `prefix`; then starts anew. */
  take(prefix = ''): Metrics {
    const means = [...this.means].map(([name, { sum, weight }]): [string, number] => [name, sum / weight])
    const sums = [...this.sums].map(([name, sum]): [string, number] => [name, sum / Math.max(1, this.steps)])
    const all = [...means, ...sums, ...this.values].sort(([a], [b]) => (a < b ? -1 : 1))
    this.means.clear()
    this.values.clear()
    this.sums.clear()
    this.steps = 0
    return Object.fromEntries(all.map(([name, value]) => [`${prefix}${name}`, value]))
  }
}
