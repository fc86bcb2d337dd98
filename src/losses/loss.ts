/**
 * The contract of a loss: per-token log-probabilities in, value and gradient out. Everything is flat over the K target
 * tokens of a batch; `offsets` says where each of the B completions begins. A loss is a sum over completions, so that
 * micro-batches add up, whatever their sizes.
 */
export interface LossInputs {
  /** [K] log-probability of each token under the policy. */
  readonly logps: Float32Array
  /** [K] mask / normaliser of each token; 0 leaves a token out. */
  readonly weights: Float32Array
  /** [B + 1] first token of each completion. */
  readonly offsets: Int32Array
}

export interface LossOutput {
  readonly loss: number
  /** [K] derivative of the loss by `logps`. */
  readonly dlogps: Float32Array
}
