/** How long an optimizer step takes, by phase, from what it computes and the machine's measured rates. Pure. */
import { attentionFlops, type Flops, flopsOf, layerProducts, prefillFlops } from './flops.js'
import type { Rates } from './rates.js'
import type { Setup } from './setup.js'
import { countParameters, type ModelShape } from './shape.js'
import { keepsPrompts, passOver, promptsWithin, type Workload } from './workload.js'

/**
 * Seconds of an operation of attention in those of the decoder's products: its blocks are small, and between them stands a
 * softmax. Measured on forests of 128 to 2,048 tokens.
 */
export const attentionCost = { forward: 1.3, backward: 1 } as const

/** Seconds of an optimizer step, named as in `profiling/<phase>`; rewards are the caller's and not in it. */
export interface TimePlan {
  readonly generation: number
  readonly logps: number
  readonly backward: number
  readonly optimizer: number
  readonly secondsPerStep: number
}

export function predictTime(shape: ModelShape, workload: Workload, setup: Setup, rates: Rates): TimePlan {
  const { reference, policy } = workload.scoring
  const parts = { shape, workload, setup, rates }
  const all = microBatches(parts)
  // What the frozen tower has computed for the sampling serves the passes after it; a reference of its own weights has its own.
  const isKept = keepsMedia(parts)
  const passes = isKept ? all.map((flops) => ({ ...flops, vision: 0 })) : all
  const seconds = (flops: readonly Flops[]) => flops.reduce((sum, each) => sum + forwardSeconds(each, rates), 0)
  const learning = passes.reduce((sum, flops) => sum + learningSeconds(flops, parts), 0)
  const phases = {
    generation: workload.generation ? generationSeconds(parts) : 0,
    logps: reference * seconds(setup.reference === 'copy' ? all : passes) + policy * seconds(passes),
    backward: learning - (keepsPrompts(workload, setup) ? savedSeconds(parts) : 0),
    optimizer: countParameters(shape, setup.load).trainable * rates.optimizer,
  }
  return { ...phases, secondsPerStep: Object.values(phases).reduce((sum, seconds) => sum + seconds, 0) }
}

interface Parts {
  readonly shape: ModelShape
  readonly workload: Workload
  readonly setup: Setup
  readonly rates: Rates
}

/** Whether a frozen tower's features of the sampling's media all last until the passes that learn from it. */
function keepsMedia({ shape, workload, setup }: Parts): boolean {
  const { prompts } = workload.generation ?? {}
  if (prompts === undefined || !setup.load.freezeVision) return false
  return passOver(workload, prompts).patches <= workload.keptMediaTokens * shape.vision.mergeUnit
}

/** What the prompts' pass of the generation spares the update that goes on from it. */
function savedSeconds(parts: Parts): number {
  const { shape, workload, rates } = parts
  const { prompts = 0, updates = 1 } = workload.generation ?? {}
  const prompt = prefillFlops(shape, workload, prompts)
  // A frozen tower's part is spared by what it has kept.
  return forwardSeconds({ ...prompt, head: 0, vision: keepsMedia(parts) ? 0 : prompt.vision }, rates) / updates
}

/** What each micro-batch of an optimizer step computes. */
function microBatches({ shape, workload, setup }: Parts): Flops[] {
  const { prompts } = workload
  const each = promptsWithin(workload, setup.tokensPerMicroBatch, prompts)
  const count = Math.ceil(prompts / each)
  return Array.from({ length: count }, (_, i) => flopsOf(shape, workload, Math.min(each, prompts - i * each)))
}

function forwardSeconds(flops: Flops, { forward }: Rates): number {
  const { decoder, attention, vision, head } = flops
  return forward.decoder * (decoder + attentionCost.forward * attention) + forward.vision * vision + forward.head * head
}

/** A forward pass without its head, and the backward pass with the head's; reruns and a second head where they are needed. */
function learningSeconds(flops: Flops, { workload, setup, rates }: Parts): number {
  const { backward } = rates
  const { gradientCheckpointing: isRerun, load } = setup
  const withoutHead = forwardSeconds({ ...flops, head: 0 }, rates)
  const body = backward.decoder * (flops.decoder + attentionCost.backward * flops.attention)
  const vision = load.freezeVision ? 0 : backward.vision * flops.vision
  const again = isRerun ? forwardSeconds({ ...flops, head: 0, vision: load.freezeVision ? 0 : flops.vision }, rates) : 0
  const head = backward.head * flops.head + (workload.headTwice ? rates.forward.head * flops.head : 0)
  return withoutHead + again + body + vision + head
}

/** Prompts once, then a step per token, as a share of the optimizer steps that learn from it. */
function generationSeconds({ shape, workload, setup, rates }: Parts): number {
  const { completions, completionTokens, prompt } = workload
  const { prompts = 0, updates = 1 } = workload.generation ?? {}
  const each = promptsWithin(workload, setup.tokensPerGeneration, prompts)
  const batches = prompts / each
  const rows = each * completions
  const { before, after } = layerProducts(shape)
  const weights =
    rates.decode.layers * shape.layers * (before + after) + rates.decode.head * shape.hidden * shape.vocabulary
  const step = weights * Math.max(1, rows / rates.decode.rows)
  const pairs = rows * (prompt.tokens + completionTokens / 2)
  const attention = attentionCost.forward * rates.forward.decoder * attentionFlops(shape, pairs)
  const prefill = forwardSeconds(prefillFlops(shape, workload, each), rates)
  // The first token comes from the prompt's own pass.
  return (
    (batches *
      (prefill + rates.decode.head * shape.hidden * shape.vocabulary + (completionTokens - 1) * (step + attention))) /
    updates
  )
}
