/**
 * The policy as if nothing were shared: every completion brings its own copy of its prompt, as in other trainers. The
 * numbers are the same, the work is not.
 */
import { unshare } from './forest.mjs'
import { override } from './policy.mjs'

/** Packed rows of a pass over unshared sequences. */
const ROWS = 8192

/**
 * @param {import('vsgrpo').Policy} policy
 * @returns {import('vsgrpo').Policy}
 */
export function unshared(policy) {
  return override(policy, {
    async generate(prompts, options) {
      const { numGenerations = 1, keys } = options
      const copies = prompts.flatMap((prompt) => Array.from({ length: numGenerations }, () => apart(prompt)))
      const copiedKeys = copies.map((_, i) => `${keys?.[Math.floor(i / numGenerations)] ?? ''} ${i}`)
      const answers = await policy.generate(copies, { ...options, numGenerations: 1, keys: copiedKeys })
      return prompts.map((_, p) => answers.slice(p * numGenerations, (p + 1) * numGenerations).flat())
    },
    async reference() {
      const reference = await policy.reference()
      const alone = (sequences) => sequences.map((sequence) => ({ ...sequence, prompt: apart(sequence.prompt) }))
      return {
        score: (sequences, options) => reference.score(alone(sequences), { ...options, tokensPerBatch: ROWS }),
        dispose: () => reference.dispose(),
      }
    },
    forward: ({ batch, targets, offsets }, options) => policy.forward({ ...unshare(batch, targets), offsets }, options),
  })
}

let copies = 0

/** The same prompt with media that pass for others. */
export function apart(prompt) {
  copies += 1
  const suffix = `#${copies}`
  return { ...prompt, media: prompt.media.map((item) => ({ ...item, key: item.key + suffix })) }
}
