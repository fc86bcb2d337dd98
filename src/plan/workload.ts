/** An optimizer step in the sizes that its memory and time depend on, and how its prompts fall into micro-batches. Pure. */

/** What a prompt is made of. */
export interface PromptSize {
  /** Tokens, those of the media included. */
  readonly tokens: number
  /** Of these up to the last media item: what prompts about the same media share. 0 without media. */
  readonly shared: number
  /** Patches of its media … */
  readonly patches: number
  /** … and of one frame, within which they attend to each other. */
  readonly framePatches: number
}

export interface Workload {
  readonly prompt: PromptSize
  /** Completions of a prompt, which no micro-batch parts. */
  readonly completions: number
  /** Tokens of each, the end token included. */
  readonly completionTokens: number
  /** The prompt's tokens are learned too. */
  readonly learnsPrompt: boolean
  /** Prompts of an optimizer step. */
  readonly prompts: number
  /** Prompts about the same media that follow each other. */
  readonly promptsPerMedia: number
  /** Absent: nothing is sampled. */
  readonly generation?: {
    /** Prompts that are sampled for at a time. */
    readonly prompts: number
    /** Optimizer steps that learn from it. */
    readonly updates: number
    /** The first of these learns from all of it. */
    readonly atOnce: boolean
  }
  /** Passes without gradients over the step's completions, as a mean per optimizer step. */
  readonly scoring: { readonly reference: number; readonly policy: number }
  /** The loss needs all log-probabilities before its gradient: the head runs once more. */
  readonly headTwice: boolean
  /** Bytes of patches in TypeScript: of caches once they are full, or of the prompts at hand where these are more. */
  readonly heldMedia: number
  /** Tokens of media whose features a model with a frozen vision tower keeps. */
  readonly keptMediaTokens: number
}

/** Some prompts that are computed together. */
export interface Pass {
  readonly prompts: number
  /** Packed rows. */
  readonly rows: number
  /** Tokens with a log-probability. */
  readonly targets: number
  readonly patches: number
}

/** Sizes of a pass over `prompts` prompts; completions of `length` tokens have a row less, as their last is only predicted. */
export function passOver(workload: Workload, prompts: number, length = workload.completionTokens): Pass {
  const { prompt, completions } = workload
  const media = mediaOf(workload, prompts)
  const learned = workload.learnsPrompt ? prompt.tokens - 1 : 0
  return {
    prompts,
    rows: promptRows(workload, prompts) + prompts * completions * Math.max(0, length - 1),
    targets: prompts * completions * (length + learned),
    patches: media * prompt.patches,
  }
}

/** Rows of prompts, those that are shared once. */
export function promptRows(workload: Workload, prompts: number): number {
  const { tokens, shared } = workload.prompt
  return mediaOf(workload, prompts) * shared + prompts * (tokens - shared)
}

function mediaOf({ promptsPerMedia, prompt }: Workload, prompts: number): number {
  return prompt.shared > 0 ? Math.ceil(prompts / promptsPerMedia) : prompts
}

/** How passes are cut. */
export interface Budgets {
  readonly tokensPerMicroBatch: number
  /** Rows of a batch of prompts that are sampled for. */
  readonly tokensPerGeneration: number
  readonly gradientCheckpointing: boolean
}

/**
 * Whether the pass that sampling makes over the prompts is what learning goes on from: `learnsAtOnce` of src/train and
 * `keepPromptsWithin` in src/policy/policy.ts.
 */
export function keepsPrompts(workload: Workload, { gradientCheckpointing, ...budgets }: Budgets): boolean {
  const { prompts = 0, atOnce = false } = workload.generation ?? {}
  const isOneBatch = (budget: number) => promptsWithin(workload, budget, prompts) === prompts
  const { tokensPerMicroBatch, tokensPerGeneration } = budgets
  if (!atOnce || gradientCheckpointing) return false
  return isOneBatch(tokensPerMicroBatch) && isOneBatch(tokensPerGeneration)
}

/**
 * Prompts of `available` that one batch holds within a budget of rows, as `planBatches` (src/plan-batches.ts) fills it: prompts
 * about the same media stay together where they fit, and one prompt with its completions is the least.
 */
export function promptsWithin(workload: Workload, budget: number, available: number): number {
  const { prompt, completions, completionTokens, promptsPerMedia } = workload
  const own = prompt.tokens - prompt.shared + completions * completionTokens
  let [held, rows] = [0, 0]
  while (held < available) {
    const together = prompt.shared > 0 ? Math.min(promptsPerMedia, available - held) : 1
    const more = prompt.shared + together * own
    if (rows + more > budget) break
    held += together
    rows += more
  }
  if (held > 0) return held
  const first = prompt.shared > 0 ? Math.min(promptsPerMedia, available) : 1
  return Math.max(1, Math.min(first, Math.floor((budget - prompt.shared) / own)))
}
