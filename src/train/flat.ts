/** Values of several completions as one array, which is how the engine and the losses read them. */

/** The items' arrays one after another; undefined when an item lacks its own. */
export function join<T>(items: readonly T[], pick: (item: T) => Float32Array): Float32Array
export function join<T>(items: readonly T[], pick: (item: T) => Float32Array | undefined): Float32Array | undefined
export function join<T>(items: readonly T[], pick: (item: T) => Float32Array | undefined): Float32Array | undefined {
  const parts = items.flatMap((item) => pick(item) ?? [])
  if (parts.length !== items.length) return undefined
  const offsets = offsetsOf(parts)
  const joined = new Float32Array(offsets.at(-1) ?? 0)
  for (const [i, part] of parts.entries()) joined.set(part, offsets[i])
  return joined
}

/** Where each of them begins, and where the last ends: [B + 1]. */
export function offsetsOf(parts: readonly { readonly length: number }[]): Int32Array {
  const offsets = new Int32Array(parts.length + 1)
  for (const [i, { length }] of parts.entries()) offsets[i + 1] = (offsets[i] ?? 0) + length
  return offsets
}
