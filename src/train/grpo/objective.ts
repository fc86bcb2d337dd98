/** The GRPO loss over the samples of a micro-batch: the engine's arguments, and TRL's metrics of what comes back. */
import { type GrpoInputs, measureGrpo } from '../../losses/index.js'
import type { BackwardResult, TokenStats } from '../../native.js'
import type { Objective } from '../algorithm.js'
import { join, offsetsOf } from '../flat.js'
import type { Meter } from '../meter.js'
import { type GRPOValues, lossOptions } from './config.js'
import type { CustomLoss, CustomLossInputs } from './custom-loss.js'
import { checkGradients } from './custom-loss.js'
import type { EntropyControl } from './entropy-control.js'
import type { GRPOSample } from './sample.js'

/** The loss that the configuration describes, fused into the engine's backward pass. */
export function makeObjective(samples: readonly GRPOSample[], config: GRPOValues, control: EntropyControl): Objective {
  const options = lossOptions(config)
  const inputs = joinSamples(samples, control)
  const { entropyBonus } = inputs
  return {
    backward: { loss: 'grpo', ...inputs, options },
    measure(result: BackwardResult, meter: Meter): void {
      const { logps, entropy } = result
      const measured = measureGrpo({ ...inputs, logps, entropy }, options)
      for (const [name, { value, count }] of Object.entries(measured)) {
        if (name.endsWith('_min')) meter.min(name, value)
        else if (name.endsWith('_max')) meter.max(name, value)
        else meter.mean(name, value, count)
      }
      measureSampler(samples, result, meter)
      if (!entropyBonus) return
      control.observe(samples, result)
      // TRL's name for the loss without the bonus.
      meter.sum('policy_loss', result.loss + entropyBonus.reduce((sum, bonus, k) => sum + bonus * (entropy[k] ?? 0), 0))
    },
  }
}

/** A loss in TypeScript: the log-probabilities come out first, its gradients go back in. */
export function makeCustomObjective(
  samples: readonly GRPOSample[],
  loss: CustomLoss,
  config: GRPOValues,
  control: EntropyControl,
): Objective {
  const inputs = joinSamples(samples, control)
  return {
    backward(stats: TokenStats, meter: Meter) {
      const given: CustomLossInputs = {
        ...inputs,
        logps: stats.logps,
        entropy: stats.entropy,
        samplingLogps: join(samples, (sample) => sample.samplingLogps) ?? stats.logps,
        options: lossOptions(config),
      }
      const { loss: value, dlogps, dentropy, metrics = {} } = checkGradients(loss(given), stats.logps.length)
      for (const [name, metric] of Object.entries(metrics)) meter.mean(name, metric, stats.logps.length)
      return { value, gradients: { loss: 'external', dlogps, dentropy } }
    },
    measure(result: BackwardResult, meter: Meter): void {
      meter.each('entropy', result.entropy)
      measureSampler(samples, result, meter)
      if (inputs.entropyBonus) control.observe(samples, result)
    },
  }
}

function joinSamples(samples: readonly GRPOSample[], control: EntropyControl): Omit<GrpoInputs, 'logps'> {
  return {
    weights: perToken(samples, ({ weight }) => weight),
    advantages: perToken(samples, ({ advantage }) => advantage),
    oldLogps: join(samples, ({ oldLogps }) => oldLogps),
    refLogps: join(samples, ({ refLogps }) => refLogps),
    policyMask: join(samples, ({ policyMask }) => policyMask),
    samplerRatios: join(samples, (sample) => sample.samplerRatios),
    entropyBonus: control.enabled ? weighEntropy(samples, control.coefficient) : undefined,
    offsets: offsetsOf(samples.map(({ completionIds }) => completionIds)),
  }
}

/** Coefficient over normaliser of every token whose entropy counts. */
function weighEntropy(samples: readonly GRPOSample[], coefficient: number): Float32Array {
  const weights = perToken(samples, ({ entropyWeight }) => coefficient * entropyWeight)
  const mask = join(samples, ({ entropyMask }) => entropyMask)
  return mask ? weights.map((weight, k) => weight * (mask[k] ?? 0)) : weights
}

/** How far the trainer's log-probabilities are from those that the sampler saw. */
function measureSampler(samples: readonly GRPOSample[], { logps }: BackwardResult, meter: Meter): void {
  const trained = join(samples, ({ oldLogps }) => oldLogps) ?? logps
  const sampled = join(samples, ({ samplingLogps }) => samplingLogps) ?? trained
  const differences = trained.map((logp, k) => Math.abs(logp - (sampled[k] ?? logp)))
  meter.each('sampling/sampling_logp_difference/mean', differences)
  for (const difference of differences) meter.max('sampling/sampling_logp_difference/max', difference)
}

/** One value per sample, repeated for each of its tokens. */
function perToken(samples: readonly GRPOSample[], value: (sample: GRPOSample) => number): Float32Array {
  return Float32Array.from(samples.flatMap((sample) => Array<number>(sample.completionIds.length).fill(value(sample))))
}
