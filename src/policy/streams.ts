/**
 * The random numbers of sampling: every sequence has a stream of its own, named by the seed, its prompt and its number in
 * the group. What a prompt gets therefore does not depend on what else is sampled.
 */
import { createHash } from 'node:crypto'
import { promptKeys } from '../batch.js'
import { InputError } from '../errors.js'
import type { Prompt } from '../types.js'

/** One name per prompt for its random numbers: the caller's key, or the content and its count among equal prompts. */
export function streamKeys(prompts: readonly Prompt[], keys: readonly (string | number)[] | undefined): string[] {
  if (keys && keys.length !== prompts.length) {
    throw new InputError(`[generate] keys: expected one for each of ${prompts.length} prompts, got ${keys.length}`)
  }
  const counts = new Map<string, number>()
  return prompts.map((prompt, index) => {
    if (keys) return `key ${keys[index]}`
    const { root, leaf } = promptKeys(prompt)
    const content = `${root} ${leaf}`
    const count = counts.get(content) ?? 0
    counts.set(content, count + 1)
    return `${content} ${count}`
  })
}

/** The seeds of a prompt's group. */
export function sequenceSeeds(seed: number, stream: string, numGenerations: number): bigint[] {
  return Array.from({ length: numGenerations }, (_, g) =>
    createHash('sha256').update(`${seed}\n${stream}\n${g}`).digest().readBigUInt64LE(),
  )
}
