/** Weights of one checkpoint into another of the same shape with another vocabulary. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Tensor {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

/** A safetensors file: header and values, which start `begin` bytes into it. */
interface File {
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly bytes: Buffer
  readonly begin: number
}

/**
 * Writes the weights of `from` (bfloat16) over those of `to` (float32): all tensors of the same name, and those rows of the
 * embedding whose token both vocabularies spell alike. Throws RangeError where shapes differ.
 */
export function graft(from: string, to: string): void {
  const file = join(to, 'model.safetensors')
  const [source, target] = [open(join(from, 'model.safetensors')), open(file)]
  for (const [name, tensor] of Object.entries(target.tensors)) {
    const origin = source.tensors[name]
    if (origin?.dtype !== 'BF16' || tensor.dtype !== 'F32') throw new RangeError(`${name}: expected BF16 into F32`)
    const rows = name === 'model.embed_tokens.weight' ? sharedTokens(from, to) : sameRows(name, origin, tensor)
    const width = tensor.shape.slice(1).reduce((product, n) => product * n, 1)
    for (const [row, own] of rows) {
      for (let i = 0; i < width; i++) {
        const at = source.begin + origin.data_offsets[0] + 2 * (row * width + i)
        // A bfloat16 is the upper half of a float32.
        target.bytes.writeUInt32LE(
          (source.bytes.readUInt16LE(at) << 16) >>> 0,
          target.begin + tensor.data_offsets[0] + 4 * (own * width + i),
        )
      }
    }
  }
  writeFileSync(file, target.bytes)
}

function open(file: string): File {
  const bytes = readFileSync(file)
  const begin = 8 + Number(bytes.readBigUInt64LE(0))
  const { __metadata__: _, ...tensors } = JSON.parse(bytes.toString('utf8', 8, begin))
  return { tensors, bytes, begin }
}

function sameRows(name: string, origin: Tensor, tensor: Tensor): [number, number][] {
  if (String(origin.shape) !== String(tensor.shape)) {
    throw new RangeError(`${name}: expected [${tensor.shape}], got [${origin.shape}]`)
  }
  return Array.from({ length: tensor.shape[0] ?? 0 }, (_, i) => [i, i])
}

/** Pairs of ids, special tokens included. */
function sharedTokens(from: string, to: string): [number, number][] {
  const [old, own] = [vocabulary(from), vocabulary(to)]
  return Object.entries(own).flatMap(([token, id]): [number, number][] => {
    const known = old[token]
    return known === undefined ? [] : [[known, id]]
  })
}

function vocabulary(dir: string): Record<string, number> {
  const { model, added_tokens: added } = JSON.parse(readFileSync(join(dir, 'tokenizer.json'), 'utf8'))
  return {
    ...model.vocab,
    ...Object.fromEntries(added.map((one: { content: string; id: number }) => [one.content, one.id])),
  }
}
