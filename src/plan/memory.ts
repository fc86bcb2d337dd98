/**
 * How much memory a run needs: what it holds throughout, and what each phase of an optimizer step adds to that. Pure.
 * `processBytes`, and `slack` in passes.ts, are the only measured constants.
 */
import { parameterBytes } from './engine.js'
import { activationBytes, inferenceBytes, type KeptPass, keptBytes, kvCacheBytes, lossChunkBytes } from './passes.js'
import type { Setup } from './setup.js'
import { bytesOf, countParameters, type ModelShape } from './shape.js'
import { keepsPrompts, type Pass, passOver, promptRows, promptsWithin, type Workload } from './workload.js'

/**
 * Resident size of a process with the command line, and of the tokenizer per token of its vocabulary. Measured: node 75 MB,
 * libtorch 107 MB, 40 MB of code and kernels touched later, 20 MB that JavaScript grows by over some dozens of steps.
 */
export const processBytes = { base: 242e6, perToken: 820 } as const
/** Of a value in a pass's patches: its byte joined in JavaScript, that of the pass before, the engine's own; and normalised. */
const bytesPerPatchValue = 3 + 4

/** Bytes by part. From `activations` on they belong to phases, of which `peakBytes` counts the largest: `peakPhase`. */
export interface MemoryParts {
  readonly process: number
  readonly weights: number
  readonly reference: number
  readonly gradients: number
  readonly optimizer: number
  /** Patches of images and videos, those that caches and prompts hold and those of a pass. */
  readonly media: number
  /** What the forward pass keeps for the backward pass, and what that needs at a time. */
  readonly activations: number
  /** Logits of a chunk and their gradients. */
  readonly lossChunk: number
  /** Generation: keys and values of prompts and completions … */
  readonly kvCache: number
  /** … and what a pass without gradients needs at a time, in generation and scoring. */
  readonly inference: number
}

export interface MemoryPlan {
  readonly parts: MemoryParts
  readonly peakBytes: number
  readonly peakPhase: 'generation' | 'scoring' | 'learning'
  /** Prompts of a micro-batch. */
  readonly promptsPerMicroBatch: number
}

export function predictMemory(shape: ModelShape, workload: Workload, setup: Setup): MemoryPlan {
  const { load } = setup
  const prompts = promptsWithin(workload, setup.tokensPerMicroBatch, workload.prompts)
  const pass = passOver(workload, prompts)
  const sampled = workload.generation ? samplingOf(workload, setup) : 0
  const kept = keepsPrompts(workload, setup) ? keptBytes(shape, promptsPass(workload), setup) : 0
  const parts: MemoryParts = {
    process: processBytes.base + processBytes.perToken * shape.vocabulary,
    ...heldParts(shape, setup),
    media: mediaBytes(shape, workload, setup, Math.max(prompts, sampled)),
    activations: Math.round(activationBytes(shape, kept > 0 ? [promptsPass(workload), behind(pass)] : [pass], setup)),
    lossChunk: lossChunkBytes(shape, pass, load.dtype),
    kvCache: sampled > 0 ? kvCacheBytes(shape, workload, sampled, load.dtype) : 0,
    inference: Math.round(inferenceBytes(shape, passOver(workload, Math.max(prompts, sampled), 1), load.dtype)),
  }
  const isScored = workload.scoring.reference + workload.scoring.policy > 0
  const scoring = isScored ? Math.round(kept + inferenceBytes(shape, { ...pass, targets: 0 }, load.dtype)) : 0
  // Checkpointed passes give the logits' memory back.
  const logits = setup.gradientCheckpointing ? 0 : parts.lossChunk
  return { parts, ...peakOf(parts, { kept, scoring, logits }), promptsPerMicroBatch: prompts }

  /** The completions' rows, that go on from the prompts'. */
  function behind({ rows, targets }: Pass): KeptPass {
    const before = promptRows(workload, prompts)
    return { prompts, rows: rows - before, targets, patches: 0, before }
  }
}

/** The pass over all prompts that are sampled for, of which only the last rows go on. */
function promptsPass(workload: Workload): Pass {
  const { prompts = 0 } = workload.generation ?? {}
  return passOver({ ...workload, completions: 1, learnsPrompt: false }, prompts, 1)
}

function samplingOf(workload: Workload, { tokensPerGeneration }: Setup): number {
  return promptsWithin(workload, tokensPerGeneration, workload.generation?.prompts ?? 0)
}

function heldParts(shape: ModelShape, { load, reference, optimStateDtype, gradDtype }: Setup) {
  const { total, trainable, adapters } = countParameters(shape, load)
  const bytes = parameterBytes(load.dtype, optimStateDtype, gradDtype)
  return {
    weights: total * bytes.weight,
    reference: bytes.weight * { none: 0, copy: total, adapters }[reference],
    gradients: trainable * bytes.gradient,
    optimizer: Math.round(trainable * bytes.optimizer),
  }
}

/** Pixels in TypeScript and on their way to the engine, and the features that models with a frozen vision tower keep. */
function mediaBytes({ vision, hidden }: ModelShape, workload: Workload, setup: Setup, prompts: number): number {
  const { load, reference } = setup
  const keepers = Number(load.freezeVision) + Number(reference === 'copy')
  const features = keepers * workload.keptMediaTokens * hidden * bytesOf(load.dtype)
  return workload.heldMedia + features + bytesPerPatchValue * passOver(workload, prompts).patches * vision.patchValues
}

/** What is not a part of its own. */
interface Passing {
  /** From generation on. */
  readonly kept: number
  readonly scoring: number
  /** Logits' memory that the step before has left. */
  readonly logits: number
}

/** The largest of the phases: they follow one another, and what one frees the next uses. */
function peakOf(parts: MemoryParts, { kept, scoring, logits }: Passing): Pick<MemoryPlan, 'peakBytes' | 'peakPhase'> {
  const { process, weights, reference, gradients, optimizer, media } = parts
  const held = process + weights + reference + gradients + optimizer
  const phases = [
    [
      'generation',
      held + media + (parts.kvCache > 0 ? parts.kvCache + Math.round(Math.max(kept, parts.inference)) + logits : 0),
    ],
    ['scoring', held + media + (scoring > 0 ? scoring + parts.lossChunk : 0)],
    ['learning', held + media + parts.activations + parts.lossChunk],
  ] as const
  const [peakPhase, peakBytes] = phases.reduce((most, next) => (next[1] > most[1] ? next : most))
  return { peakPhase, peakBytes }
}
