/** A reference policy that follows the policy: the options for it, and an algorithm's part in it (TRL's `sync_ref_model`). */
import type { Reference } from '../policy.js'
import type { Algorithm, Sample } from './algorithm.js'
import { type Fields, flag, integer, number, type Values } from './fields.js'

export const referenceFields = {
  /** Moves the reference towards the policy every `refModelSyncSteps` steps, by the share `refModelMixupAlpha`. */
  syncRefModel: flag(false),
  refModelMixupAlpha: number(0.6, 0, 1),
  refModelSyncSteps: integer(512, 1),
} satisfies Fields

type ReferenceSync = Required<Pick<Algorithm<Sample>, 'afterUpdate' | 'save' | 'restore'>>

/** Does nothing while `syncRefModel` is off, or without a reference. */
export function syncReference(given: Reference | undefined, options: Values<typeof referenceFields>): ReferenceSync {
  const { syncRefModel, refModelSyncSteps, refModelMixupAlpha } = options
  const reference = syncRefModel ? given : undefined
  return {
    async afterUpdate(step, { policy }) {
      if (step % refModelSyncSteps === 0) await reference?.mix(policy.native, refModelMixupAlpha)
    },
    async save(dir) {
      await reference?.save(dir)
    },
    async restore(dir) {
      await reference?.restore(dir)
    },
  }
}
