/** Losses of one's own: a function from log-probabilities to a value and its gradient, checked against finite differences. */
import { InputError } from '../../errors.js'
import { defaultGrpoOptions, type GrpoInputs, type GrpoOptions } from '../../losses/index.js'
import type { Metrics } from '../../types.js'

/** The samples of a micro-batch, flat over their K tokens; `offsets` [B + 1] says where each completion begins. */
export interface CustomLossInputs extends GrpoInputs {
  /** [K] in nats. */
  readonly entropy: Float32Array
  /** [K] as the sampler computed them. */
  readonly samplingLogps: Float32Array
  /** What the run's options say of the loss. */
  readonly options: GrpoOptions
}

export interface CustomLossOutput {
  readonly loss: number
  /** [K] derivative of the loss by each log-probability. */
  readonly dlogps: Float32Array
  /** [K] derivative by each entropy; absent = 0. */
  readonly dentropy?: Float32Array
  /** Logged under these names, as means over tokens. */
  readonly metrics?: Metrics
}

/**
 * Must be a sum over completions, each token's part multiplied by `weights`: then micro-batches add up to the same whatever
 * their size.
 */
export type CustomLoss = (inputs: CustomLossInputs) => CustomLossOutput

/** The output as given; an InputError when its gradients do not fit the batch. */
export function checkGradients(output: CustomLossOutput, tokens: number): CustomLossOutput {
  for (const name of ['dlogps', 'dentropy'] as const) {
    const values = output[name]
    if (values === undefined && name === 'dentropy') continue
    if (!(values instanceof Float32Array) || values.length !== tokens) {
      const got = values instanceof Float32Array ? `${values.length} values` : typeof values
      throw new InputError(`[loss] ${name}: expected a Float32Array of ${tokens} values, one per token, got ${got}`)
    }
  }
  if (typeof output.loss !== 'number') throw new InputError(`[loss] loss: expected a number, got ${typeof output.loss}`)
  return output
}

export interface LossCheck {
  /** Largest difference between a gradient and its finite difference, over the largest gradient. */
  readonly error: number
  /** Where it is. */
  readonly token: number
  readonly of: 'dlogps' | 'dentropy'
}

export interface LossCheckOptions {
  /** Step of the central difference. Default 1e-3: inputs are float32. */
  readonly step?: number
  /** Above it the check throws. Default 1e-2. */
  readonly tolerance?: number
  /** Default: three completions of 4, 3 and 2 tokens with every optional array. */
  readonly inputs?: CustomLossInputs
}

/**
 * Compares a loss's gradients with central finite differences of its value, and its value with the sum of what it gives for
 * each completion alone. Throws an InputError that names the token where they part, or the two sums. Losses with kinks
 * (clips) need inputs that do not sit on one.
 */
export function checkLoss(loss: CustomLoss, options: LossCheckOptions = {}): LossCheck {
  const { step = 1e-3, tolerance = 1e-2, inputs = exampleInputs() } = options
  const output = checkGradients(loss(inputs), inputs.logps.length)
  const { dlogps, dentropy = new Float32Array(inputs.logps.length) } = output
  // A gradient that is not a number would be the scale of all others, and hide where it is.
  const scale = [...dlogps, ...dentropy].filter(Number.isFinite).reduce((most, x) => Math.max(most, Math.abs(x)), 1e-6)
  const points = Array.from(dlogps, (_, token) => token).flatMap((token) => [
    { of: 'dlogps' as const, token, given: dlogps[token] ?? 0, slope: slopeAt(loss, inputs, 'logps', token, step) },
    {
      of: 'dentropy' as const,
      token,
      given: dentropy[token] ?? 0,
      slope: slopeAt(loss, inputs, 'entropy', token, step),
    },
  ])
  const errors = points.map((point) => ({ ...point, error: Math.abs(point.given - point.slope) / scale }))
  const worst = errors.reduce((a, b) => (b.error > a.error || Number.isNaN(b.error) ? b : a))
  if (!(worst.error <= tolerance)) {
    throw new InputError(
      `[checkLoss] ${worst.of}[${worst.token}] is ${worst.given}, the slope of the loss there is ${worst.slope}; give the derivative of the loss by ${worst.of === 'dlogps' ? 'logps' : 'entropy'}`,
    )
  }
  checkSum(loss, inputs, { value: output.loss, tolerance })
  return { error: worst.error, token: worst.token, of: worst.of }
}

/** A mean over the batch would change with its size, where a sum of weighted tokens does not. */
function checkSum(
  loss: CustomLoss,
  inputs: CustomLossInputs,
  { value, tolerance }: { readonly value: number; readonly tolerance: number },
): void {
  const parts = Array.from(inputs.offsets.subarray(1), (_, row) => loss(completionOf(inputs, row)).loss)
  const sum = parts.reduce((total, part) => total + part, 0)
  const scale = parts.reduce((most, part) => Math.max(most, Math.abs(part)), Math.max(Math.abs(value), 1e-6))
  if (Math.abs(sum - value) <= tolerance * scale) return
  throw new InputError(
    `[checkLoss] the loss of all completions is ${value}, those of each alone add up to ${sum}; make it a sum over completions of tokens times 'weights', which hold the normaliser`,
  )
}

/** One completion of a batch as a batch of its own. */
function completionOf(inputs: CustomLossInputs, row: number): CustomLossInputs {
  const [begin = 0, end = 0] = inputs.offsets.subarray(row)
  const cut = (value: unknown) => (value instanceof Float32Array ? value.subarray(begin, end) : value)
  const own = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, cut(value)]))
  return { ...inputs, ...own, offsets: Int32Array.of(0, end - begin) }
}

function slopeAt(loss: CustomLoss, inputs: CustomLossInputs, what: 'logps' | 'entropy', token: number, step: number) {
  const at = (sign: number) => {
    const moved = Float32Array.from(inputs[what])
    moved[token] = (moved[token] ?? 0) + sign * step
    return { x: moved[token] ?? 0, y: loss({ ...inputs, [what]: moved }).loss }
  }
  const [low, high] = [at(-1), at(1)]
  return (high.y - low.y) / (high.x - low.x)
}

function exampleInputs(): CustomLossInputs {
  const logps = Float32Array.of(-0.5, -1.2, -0.1, -2, -0.3, -0.9, -1.5, -2.2, -0.4)
  const shifted = (by: readonly number[]) => logps.map((logp, k) => logp + (by[k % by.length] ?? 0))
  return {
    logps,
    weights: logps.map(() => 1 / logps.length),
    offsets: Int32Array.of(0, 4, 7, 9),
    advantages: Float32Array.of(1, 1, 1, 1, -0.5, -0.5, -0.5, -0.8, -0.8),
    oldLogps: shifted([-0.1, 0.13, 0.05, -0.6]),
    refLogps: shifted([-0.2, 0.1, -0.15]),
    samplingLogps: shifted([-0.1, 0.13, 0.05, -0.6]),
    policyMask: logps.map((_, k) => Number(k !== 5)),
    samplerRatios: logps.map((_, k) => 1 + 0.01 * k),
    entropy: Float32Array.of(0.9, 1.4, 0.2, 1.8, 0.6, 1.1, 1.6, 1.7, 0.7),
    entropyBonus: logps.map(() => 0.01 / logps.length),
    options: { ...defaultGrpoOptions, beta: 0.04 },
  }
}
