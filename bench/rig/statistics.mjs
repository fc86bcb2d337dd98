/** Figures of repeated trials: medians, and how far they spread. Pure. */

/**
 * The middle value, or the mean of the two in the middle.
 * @param {readonly number[]} values
 */
export function median(values) {
  if (values.length === 0) throw new RangeError('[median] expected at least one value, got none')
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

/**
 * Median of the trials' medians, the smallest and largest of these, and their distance over the median.
 * @param {readonly (readonly number[])[]} trials measurements of each trial
 */
export function summarise(trials) {
  const medians = trials.map(median)
  const middle = median(medians)
  const [low, high] = [Math.min(...medians), Math.max(...medians)]
  return { median: middle, low, high, spread: (high - low) / middle }
}

/**
 * The median of each named number over records; a name that a record lacks counts as 0 there.
 * @param {readonly Readonly<Record<string, number>>[]} records
 * @returns {Record<string, number>}
 */
export function medianOfEach(records) {
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))]
  return Object.fromEntries(names.map((name) => [name, median(records.map((record) => record[name] ?? 0))]))
}
