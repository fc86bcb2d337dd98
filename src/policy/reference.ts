/** The reference policy of the KL penalty. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Sequence } from '../batch.js'
import { fromNative, InputError } from '../errors.js'
import { copyModelFiles } from '../model-folder.js'
import type { NativeModel, TokenStats } from '../native.js'
import { type Engine, loadWeights, type ScoreOptions, scoreWith, type WeightsOptions } from './weights.js'

/** Scores sequences under fixed weights: what the KL penalty is measured from. */
export interface Reference {
  score(sequences: readonly Sequence[], options?: ScoreOptions): Promise<TokenStats[]>
  /** Moves the reference towards the policy's model by the share alpha. */
  mix(policy: NativeModel, alpha: number): Promise<void>
  /** Writes the weights below a checkpoint's folder, and reads them back. */
  save(dir: string): Promise<void>
  restore(dir: string): Promise<void>
  dispose(): void
}

/** Gives the policy's model, beside its own adapters, those that it began with. */
export async function loadReferenceAdapter(model: NativeModel, dir: string): Promise<void> {
  try {
    await model.loadReferenceAdapter(dir)
  } catch (error) {
    throw fromNative(error)
  }
}

/** The policy's own base, with the adapters that it began with or none: how it scores is the policy's. */
export function onSameBase(score: Reference['score']): Reference {
  const refuse = async () => {
    throw new InputError('[syncRefModel] expected a model without lora: with it, the reference stays as it is')
  }
  return {
    score,
    mix: refuse,
    save: refuse,
    restore: refuse,
    dispose() {},
  }
}

/** Frozen weights from a folder. */
export async function frozenCopy(engine: Engine, dir: string, options: WeightsOptions): Promise<Reference> {
  let weights = await loadWeights(engine, dir, options)
  return {
    score: (sequences, scoring = {}) => scoreWith(weights, sequences, scoring),
    async mix(policy, alpha) {
      weights.features.clear()
      await weights.model.mix(policy, alpha)
    },
    async save(checkpoint) {
      const folder = join(checkpoint, 'reference')
      mkdirSync(folder)
      copyModelFiles(dir, folder, 'model')
      await weights.model.save(folder, 'model')
    },
    async restore(checkpoint) {
      const folder = join(checkpoint, 'reference')
      // A run that did not move its reference has saved none: it is still where it began.
      if (!existsSync(folder)) return
      // First, or both would be in memory.
      weights.model.dispose()
      weights = await loadWeights(engine, folder, options)
    },
    dispose: () => weights.model.dispose(),
  }
}
