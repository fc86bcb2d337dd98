/** What a run keeps of its images and videos beside the passes over them: in caches, and with the prompts at hand. Pure. */
import { defaultTokensPerBatch } from '../policy/weights.js'
import type { ModelShape } from './shape.js'
import type { RowSizes } from './sizes.js'
import { countRunSteps, type StepPlan } from './steps.js'
import type { Workload } from './workload.js'

/** Media that the processor keeps, in bytes: its default. */
const mediaCacheBytes = 512 * 2 ** 20

export interface KeptMediaOptions {
  /** Rows of the dataset. */
  readonly length: number
  readonly keptMediaTokens?: number
}

export function keptMedia(
  shape: ModelShape,
  steps: StepPlan,
  rows: RowSizes,
  { length, keptMediaTokens = defaultTokensPerBatch }: KeptMediaOptions,
): Pick<Workload, 'heldMedia' | 'keptMediaTokens'> {
  const { patches } = rows.mean.prompt
  const bytes = patches * shape.vision.patchValues
  const seen = seenMedia(steps, rows, length)
  // Of the same media a cache and the prompts hold the same bytes, and those of the prompts at hand were used last.
  const cached = Math.min(mediaCacheBytes, seen * bytes)
  const atHand = Math.min(seen, mediaAtHand(steps, rows)) * bytes
  return {
    heldMedia: Math.max(cached, atHand),
    keptMediaTokens: Math.min(keptMediaTokens, (seen * patches) / shape.vision.mergeUnit),
  }
}

/** Different media that a run comes to: caches grow until they have seen all or are full. */
function seenMedia(steps: StepPlan, { media, mean }: RowSizes, length: number): number {
  const batches = countRunSteps(steps, length, mean) / steps.batch.updates
  const rowsSeen = Math.min(length, batches * steps.batch.rows * steps.rowsPerPlace(mean))
  return Math.ceil((media * rowsSeen) / Math.max(1, length))
}

/** Media of the prompts of a batch of examples, and of the next, which is read while the batch is learned from. */
function mediaAtHand({ batch, config, workload }: StepPlan, rows: RowSizes): number {
  const { prompts, generation } = workload(rows.mean)
  const ofBatch = Math.ceil((generation?.prompts ?? prompts) / config.promptsPerMedia)
  return batch.isReadAhead ? 2 * ofBatch : ofBatch
}
