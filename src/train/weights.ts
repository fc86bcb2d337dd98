/**
 * The loss type as numbers: what one token of each completion weighs, so that the loss of an optimizer step is a plain
 * sum. TRL 1.13's reductions with its divisions by the accumulation count worked in.
 */

export interface WeightOptions {
  readonly lossType: 'dapo' | 'grpo' | 'bnpo' | 'dr_grpo'
  /** Completions in a slice: `perDeviceTrainBatchSize`. */
  readonly sliceSize: number
  readonly maxCompletionLength: number
  /** dapo's divisor: tokens of the generation batch, times slices of an update over slices of the batch. */
  readonly dapoTokens: number
}

/**
 * Weight of each token, per completion of one optimizer step. `lengths` are the completions' tokens in the loss, 0 for a
 * completion that is masked: it still counts as a completion.
 */
export function tokenWeights(lengths: readonly number[], options: WeightOptions): number[] {
  const { lossType, sliceSize, maxCompletionLength, dapoTokens } = options
  const slices = Math.ceil(lengths.length / sliceSize)
  return lengths.map((length, i) => {
    if (length === 0) return 0
    if (lossType === 'dapo') return 1 / dapoTokens
    if (lossType === 'grpo') return 1 / (length * lengths.length)
    if (lossType === 'dr_grpo') return 1 / (maxCompletionLength * lengths.length)
    const begin = Math.floor(i / sliceSize) * sliceSize
    return 1 / (sum(lengths.slice(begin, begin + sliceSize)) * slices)
  })
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
