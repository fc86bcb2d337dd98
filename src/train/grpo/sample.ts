/** What GRPO learns from: a completion with all that its loss needs. */
import type { SampledAnswer } from './sampling.js'

export interface GRPOSample extends SampledAnswer {
  /** Weight of each token in the loss: 1 / normaliser. */
  readonly weight: number
  /** Weight of each token in the mean entropy of the step. */
  readonly entropyWeight: number
  /** Which `perDeviceTrainBatchSize` completions of the step it is counted among. */
  readonly slice: number
  /** [T] under the policy that sampled; absent when no update comes between sampling and learning. */
  readonly oldLogps?: Float32Array
  /** [T] under the reference policy; present when beta > 0. */
  readonly refLogps?: Float32Array
  /** [T] trainer over sampler likelihood, bounded. */
  readonly samplerRatios?: Float32Array
  /** [T] 0 where the policy term is left out of this step … */
  readonly policyMask?: Float32Array
  /** [T] … and where the entropy bonus is. */
  readonly entropyMask?: Float32Array
}
