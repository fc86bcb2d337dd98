/**
 * The addon's whole surface, typed. Long calls run on the addon's one engine thread, in order, and return promises; typed
 * arrays are copied before the promise is returned, so callers may reuse them.
 */
import type { GrpoOptions } from './losses/grpo-options.js'
import { loadAddon } from './setup/addon.js'

export type DType = 'float32' | 'bfloat16'
/** Type in which an optimizer keeps its moments; 'int8': 8-bit codes with an absmax per block, as in bitsandbytes. */
export type StateDType = DType | 'int8'
export type Device = 'cpu' | 'cuda'

/** A forest of ragged segments over packed rows: attention is causal within a segment and full over all its ancestors. */
export interface Batch {
  /** [N] token ids, segment after segment. */
  readonly ids: Int32Array
  /** [S + 1] first row of each segment; an empty segment is allowed. */
  readonly offsets: Int32Array
  /** [S] parent segment, smaller than the segment's own index; -1 = root. */
  readonly parents: Int32Array
  /** [3, N] row-major M-RoPE positions. */
  readonly positions: Int32Array
  /** [M, 3] (t, h, w) in patches of each media item, in the order in which their placeholders stand in `ids`. */
  readonly grids: Int32Array
  /** [sum t * h * w, 1176] patches of the media whose features the model has not kept. */
  readonly patches: Uint8Array
  /** [those media, 3, 256] what each byte of their channels stands for. */
  readonly byteValues: Float32Array
  /**
   * [M] the slot in which the model keeps an item's features for later passes: one that is full stands for the item's patches.
   * No slots: not kept. Only where the vision tower is frozen.
   */
  readonly slots?: Int32Array
}

/** Which tokens get a log-probability: token `ids[k]` is predicted from packed row `rows[k]`. */
export interface Targets {
  readonly rows: Int32Array
  readonly ids: Int32Array
}

export interface LoraOptions {
  readonly r: number
  readonly alpha: number
  /** Hugging Face linear names, as in PEFT: 'q_proj', 'gate_proj', … */
  readonly targetModules: readonly string[]
  readonly seed: number
}

export interface LoadOptions {
  readonly dtype: DType
  /** Where weights lie and passes run; the CPU unless said. 'cuda' rejects with code NO_CUDA where that cannot be. */
  readonly device?: Device
  /** false: frozen weights without gradient buffers (reference policies, inference). */
  readonly trainable: boolean
  readonly freezeVision: boolean
  readonly lora?: LoraOptions
  /** A folder with adapter_model.safetensors in PEFT's layout; needs `lora`. */
  readonly adapterDir?: string
}

/** Temperatures that are sampled at, besides 0: others are refused with BAD_ARGUMENT (native/addon/convert.cpp). */
export const temperatureRange = { min: 1e-3, max: 1e6 } as const

export interface GenerateOptions {
  /** [P] leaf segment of each prompt. */
  readonly leaves: Int32Array
  /** [P] position of the first new token. */
  readonly nextPositions: Int32Array
  readonly numGenerations: number
  readonly maxNewTokens: number
  /** 0 = greedy, else within `temperatureRange`. Off: topK 0, topP 1, minP 0. */
  readonly temperature: number
  readonly topK: number
  readonly topP: number
  readonly minP: number
  /** 1 = off. Counts the tokens of the prompt too, as transformers does. */
  readonly repetitionPenalty: number
  readonly eosIds: Int32Array
  /** [P * G] one stream of random numbers per sequence, whatever else is in the batch. */
  readonly seeds: BigUint64Array
  /** Keeps the prompts' pass and its graph for the next `forward` with `grad`, which uses it if its batch begins with them. */
  readonly keepPrompts?: boolean
  /** [1], over a SharedArrayBuffer: set to 1 to stop, and the call rejects with code ABORTED. */
  readonly abort?: Int32Array
}

export interface Generated {
  /** Concatenated completions, prompt-major: row p * G + g. */
  readonly ids: Int32Array
  /** [P * G + 1] */
  readonly offsets: Int32Array
  /** Of each token: `Completion.logps`. */
  readonly logps: Float32Array
  /** [P * G] 1 = ended by an end token, 0 = ran into maxNewTokens. */
  readonly stopped: Uint8Array
}

export interface ForwardOptions {
  readonly grad: boolean
  /** false: the reference policy, with the adapters of `loadReferenceAdapter`, or none. */
  readonly adapter: boolean
  /** Logits are divided by it before the log-softmax. */
  readonly temperature: number
  /** Memory before speed: layers keep only their inputs and run again in the backward pass; free memory is given back. Default false. */
  readonly gradientCheckpointing?: boolean
  /** Whether the statistics have `logitMean`. Default false. */
  readonly logitMean?: boolean
}

/** [K] each. */
export interface TokenStats {
  readonly logps: Float32Array
  /** In nats. */
  readonly entropy: Float32Array
  /** 1 where the target is the most likely token. */
  readonly correct: Uint8Array
  /** Mean of the logits over the vocabulary, before the temperature; only where the pass was asked for it. */
  readonly logitMean?: Float32Array
}

/** What `backward` takes: gradients from outside, or a built-in loss computed in the same pass as the logits. */
export type Backward =
  | { readonly loss: 'external'; readonly dlogps: Float32Array; readonly dentropy?: Float32Array }
  | { readonly loss: 'sft'; readonly weights: Float32Array }
  | {
      readonly loss: 'grpo'
      /** [K] mask / normaliser of each token. */
      readonly weights: Float32Array
      readonly advantages: Float32Array
      /** [B + 1] */
      readonly offsets: Int32Array
      /** Absent: the ratio is exactly 1 (one update per batch). */
      readonly oldLogps?: Float32Array
      /** Needed when beta > 0. */
      readonly refLogps?: Float32Array
      readonly policyMask?: Float32Array
      readonly samplerRatios?: Float32Array
      readonly entropyBonus?: Float32Array
      readonly options: GrpoOptions
    }

export interface BackwardResult extends TokenStats {
  readonly loss: number
}

export interface NativeForward {
  logps(): Promise<TokenStats>
  /** Adds to the model's gradients and consumes the graph. */
  backward(args: Backward): Promise<BackwardResult>
  dispose(): void
}

export interface ModelInfo {
  readonly parameters: number
  readonly trainable: number
  readonly dtype: DType
}

export interface NativeModel {
  info(): ModelInfo
  generate(batch: Batch, options: GenerateOptions): Promise<Generated>
  forward(batch: Batch, targets: Targets, options: ForwardOptions): Promise<NativeForward>
  /** Writes model.safetensors (or adapter_model.safetensors) with Hugging Face's names into an existing folder. */
  save(dir: string, what: 'model' | 'adapter' | 'merged'): Promise<void>
  /** Empties slots of kept features. */
  dropFeatures(slots: Int32Array): Promise<void>
  /** From now on passes with `adapter: false` have the adapters of a folder in PEFT's layout. */
  loadReferenceAdapter(dir: string): Promise<void>
  /** Moves every weight towards another model's of the same shape: w = (1 - alpha) w + alpha w'. */
  mix(other: NativeModel, alpha: number): Promise<void>
  dispose(): void
}

export interface OptimizerOptions {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** Applied to matrices only, as transformers' Trainer does. */
  readonly weightDecay: number
  /** Type of the moments. Default float32. */
  readonly stateDtype?: StateDType
  /** Type of the model's gradients from here on. Default float32. */
  readonly gradDtype?: DType
}

export interface NativeOptimizer {
  /** Clips, updates, clears the gradients. `gradNorm` is the norm before clipping. */
  step(options: { lr: number; maxGradNorm: number }): Promise<{ gradNorm: number }>
  save(file: string): Promise<void>
  load(file: string): Promise<void>
  dispose(): void
}

export interface PatchifyOptions {
  readonly frames: number
  readonly height: number
  readonly width: number
  readonly resizedHeight: number
  readonly resizedWidth: number
  /** Which bicubic: Pillow's, torchvision's on uint8, torchvision's on float32. */
  readonly resize: 'pillow' | 'torchvision-uint8' | 'torchvision-float'
  readonly patchSize: number
  readonly temporalPatchSize: number
  readonly mergeSize: number
}

/** Memory of the GPU, and of the engine's allocator on it. */
export interface GpuMemory {
  readonly totalBytes: number
  readonly freeBytes: number
  /** In tensors now, and at most since the process began. */
  readonly allocatedBytes: number
  readonly peakBytes: number
  /** Taken from the GPU: what is in tensors, and what is kept for the next ones. */
  readonly reservedBytes: number
}

/** Bytes of what lasts from step to step in the models and optimizers of a process; and the GPU, where one is used. */
export interface MemoryInUse {
  /** Weights of models that train, adapters included. */
  readonly weights: number
  /** Weights of the other models. */
  readonly reference: number
  readonly gradients: number
  /** Moments, and what bfloat16 weights need beside them for a float32 master. */
  readonly optimizer: number
  /** Features of media that models with a frozen vision tower keep. */
  readonly features: number
  /** On a GPU: keys and values of prompts and answers, kept for the next generation. */
  readonly decoding: number
  readonly gpu?: GpuMemory
}

export interface BuildInfo {
  readonly libtorch: string
  /** The widest vectors that libtorch uses here: 'AVX2', 'AVX512', … */
  readonly cpu: string
  /** Whether this processor multiplies bfloat16 in hardware (AVX512-BF16, and so AMX). */
  readonly bfloat16: boolean
  readonly threads: number
}

export interface Addon {
  readonly Model: { load(dir: string, options: LoadOptions): Promise<NativeModel> }
  readonly Optimizer: { create(model: NativeModel, options: OptimizerOptions): Promise<NativeOptimizer> }
  /** [frames, height, width, 3] RGB bytes to [t * h * w, 3 * temporalPatchSize * patchSize^2] patches, off the engine thread. */
  patchify(rgb: Uint8Array, options: PatchifyOptions): Promise<Uint8Array>
  /** Value and gradient by logps of the built-in loss at given statistics, as `backward` would compute them. */
  grpoLoss(
    stats: Omit<TokenStats, 'correct'>,
    args: Backward & { readonly loss: 'grpo' },
  ): Promise<{ readonly loss: number; readonly dlogps: Float32Array }>
  memory(): Promise<MemoryInUse>
  /** Loads what a GPU needs; rejects with code NO_CUDA, which says what is missing. */
  gpuMemory(): Promise<GpuMemory>
  buildInfo(): BuildInfo
  /** Live native handles, for leak tests. */
  handles(): { readonly models: number; readonly forwards: number; readonly optimizers: number }
}

/**
 * Loads the addon at the first call: for 'cuda' the one built by `vsgrpo setup --cuda`, where there is one. Throws an error that
 * names the command to run when it is not built, and where the process has loaded the CPU's already.
 */
export function native(device: Device = 'cpu'): Addon {
  return loadAddon(device) as Addon
}
