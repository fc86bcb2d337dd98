/** One optimizer step: gradients of all micro-batches, then the optimizer. */
import { packSequences } from '../batch.js'
import { AbortedError, VsgrpoError } from '../errors.js'
import type { NativeForward, NativeOptimizer } from '../native.js'
import { planBatches } from '../plan-batches.js'
import type { Policy } from '../policy.js'
import type { Algorithm, Objective, RunContext, Sample, Unit } from './algorithm.js'
import type { TrainingValues } from './config.js'
import type { Meter } from './meter.js'
import { timed } from './timing.js'
import { sequencesOf } from './units.js'

export interface UpdateParts<S extends Sample> {
  readonly policy: Policy
  readonly optimizer: NativeOptimizer
  readonly algorithm: Algorithm<S>
  readonly config: TrainingValues
  readonly signal?: AbortSignal
}

/**
 * Learns from the units at learning rate `lr`. Units without samples count for nothing; without any, the gradient is 0, which
 * still moves the weights by what the optimizer remembers, as in TRL.
 * Throws a VsgrpoError when loss or gradient is not finite; the weights are then as before.
 */
export async function takeUpdate<S extends Sample>(
  parts: UpdateParts<S>,
  units: readonly Unit<S>[],
  run: RunContext,
  lr: number,
): Promise<void> {
  const { algorithm, config, optimizer } = parts
  const { meter, step } = run
  const filled = units.filter(({ samples }) => samples.length > 0)
  const fresh = algorithm.refresh && filled.length > 0 ? await algorithm.refresh(filled, run) : filled
  const plan = planBatches(fresh, {
    prompt: ({ prompt }) => prompt,
    rows: ({ samples }) => samples.reduce((sum, { completionIds }) => sum + completionIds.length, 0),
    budget: config.tokensPerMicroBatch,
  })
  const loss = await timed(run, 'backward', async () => {
    let sum = 0
    for (const part of plan) sum += await differentiate(parts, part, meter)
    return sum
  })
  checkFinite('loss', loss, step)
  const { maxGradNorm } = config
  const { gradNorm } = await timed(run, 'optimizer', () => optimizer.step({ lr, maxGradNorm }))
  checkFinite('gradient norm', gradNorm, step)
  await algorithm.afterUpdate?.(step, run)
  meter.mean('loss', loss)
  meter.last('grad_norm', gradNorm)
  meter.last('learning_rate', lr)
}

/** Adds the gradients of one micro-batch and gives its part of the loss. */
async function differentiate<S extends Sample>(
  { policy, algorithm, config, signal }: UpdateParts<S>,
  units: readonly Unit<S>[],
  meter: Meter,
): Promise<number> {
  const objective = algorithm.loss(units.flatMap((unit) => unit.samples))
  const { temperature, logitMean = false } = algorithm
  const options = { temperature, gradientCheckpointing: config.gradientCheckpointing, logitMean }
  const forward = await policy.forward(packSequences(sequencesOf(units)), options)
  try {
    const loss = await backward(forward, objective, meter)
    if (signal?.aborted) throw new AbortedError(undefined, signal.reason)
    return loss
  } finally {
    forward.dispose()
  }
}

async function backward(forward: NativeForward, objective: Objective, meter: Meter): Promise<number> {
  if (typeof objective.backward !== 'function') {
    const result = await forward.backward(objective.backward)
    objective.measure(result, meter)
    return result.loss
  }
  const { value, gradients } = objective.backward(await forward.logps(), meter)
  objective.measure(await forward.backward(gradients), meter)
  return value
}

function checkFinite(what: string, value: number, step: number): void {
  if (Number.isFinite(value)) return
  throw new VsgrpoError(`[train] step ${step}: the ${what} is ${value}; lower learningRate or maxGradNorm`, {
    code: 'ERR_VSGRPO_NUMERICS',
  })
}
