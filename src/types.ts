/**
 * The plain data that the parts exchange. Level 0: imports nothing.
 *
 * Letters in shape comments: N packed rows, S segments, M media items, P prompts, G completions of a prompt,
 * B = P x G completions, K target tokens, T tokens of one sequence.
 */

/** One part of a message in Hugging Face's conversational form. Paths are files on disk. */
export type ContentPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image: string }
  /** A video file (decoded by ffmpeg), or its frames as image files in order. */
  | { readonly type: 'video'; readonly video: string | readonly string[] }

export interface Message {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string | readonly ContentPart[]
}

/** One row of a dataset. `messages` is the prompt (it ends before the answer); every other column reaches the rewards. */
export interface Example {
  readonly id?: string | number
  readonly messages: readonly Message[]
  /** The supervised target (SFT). */
  readonly completion?: string
  /** The right answer, read by `accuracyReward`. */
  readonly answer?: string | number
  readonly [column: string]: unknown
}

/** One image or video, ready for the vision tower. */
export interface Media {
  /** Equal keys mean equal content: prompts that share media share their encoding. */
  readonly key: string
  /** [t * h * w, 1176] bytes of patches in merge-group order: a quarter of what their normalised values take. */
  readonly patches: Uint8Array
  /** [3, 256] the normalised value of each byte, by channel (`pixel_values` of Hugging Face's processors). */
  readonly byteValues: Float32Array
  /** (t, h, w) in patches. */
  readonly grid: readonly [number, number, number]
}

/** A prompt as the model reads it: tokens with placeholders expanded, M-RoPE positions, media. */
export interface Prompt {
  /** [T] */
  readonly ids: Int32Array
  /** [3, T] row-major: temporal, height, width. */
  readonly positions: Int32Array
  /** Position (all three components) of the first completion token. */
  readonly nextPosition: number
  readonly media: readonly Media[]
  /** Tokens up to and including the last media item: what prompts about the same media share. 0 without media. */
  readonly sharedLength: number
}

/** One sampled answer. */
export interface Completion {
  /** Without special tokens. */
  readonly text: string
  /** [T], with the end token when the model stopped by itself. */
  readonly ids: Int32Array
  /**
   * [T] log-probability of each token under the distribution that it was drawn from: at the sampling temperature (1 when
   * greedy), of what `repetitionPenalty`, `topK`, `topP` and `minP` leave. Without those rules it is the policy's own. vLLM's
   * `processed_logprobs`, which TRL takes.
   */
  readonly logps: Float32Array
  readonly finishReason: 'stop' | 'length'
}

export type Metrics = Record<string, number>
