/**
 * The loss type as numbers: what one token of each completion weighs, so that the loss of an optimizer step is a plain
 * sum. TRL 1.13's reductions with its divisions by the accumulation count worked in.
 */
import type { LossType } from '../../losses/grpo-options.js'

export interface WeightOptions {
  readonly lossType: LossType
  /** Completions in a slice: `perDeviceTrainBatchSize`. */
  readonly sliceSize: number
  readonly maxCompletionLength: number
  /** Divisor of dapo, cispo and vespo: tokens of the generation batch, times slices of an update over slices of the batch. */
  readonly dapoTokens: number
}

/**
 * Weight of each token, per completion of one optimizer step. `lengths` are the completions' tokens in the loss, 0 for a
 * completion that is masked: it still counts as a completion.
 */
export function tokenWeights(lengths: readonly number[], options: WeightOptions): number[] {
  const { lossType, maxCompletionLength, dapoTokens } = options
  const perSlice = tokensPerSlice(lengths, options.sliceSize)
  const weightOf = (length: number, i: number): number => {
    switch (lossType) {
      case 'dapo':
      case 'cispo':
      case 'vespo':
        return 1 / dapoTokens
      case 'grpo':
      case 'sapo':
        return 1 / (length * lengths.length)
      case 'luspo':
        return 1 / lengths.length
      case 'dr_grpo':
        return 1 / (maxCompletionLength * lengths.length)
      case 'bnpo':
        return 1 / (perSlice.of(i) * perSlice.slices)
    }
  }
  return lengths.map((length, i) => (length === 0 ? 0 : weightOf(length, i)))
}

/** Weight of each token in the mean entropy of an optimizer step: TRL averages it slice by slice, whatever the loss type. */
export function entropyWeights(lengths: readonly number[], sliceSize: number): number[] {
  const perSlice = tokensPerSlice(lengths, sliceSize)
  return lengths.map((length, i) => (length === 0 ? 0 : 1 / (perSlice.of(i) * perSlice.slices)))
}

function tokensPerSlice(lengths: readonly number[], sliceSize: number) {
  const slices = Math.ceil(lengths.length / sliceSize)
  const tokens = Array.from({ length: slices }, (_, s) => sum(lengths.slice(s * sliceSize, (s + 1) * sliceSize)))
  return { slices, of: (i: number) => tokens[Math.floor(i / sliceSize)] ?? 0 }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
