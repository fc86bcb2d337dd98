/** Zip archives written by hand, so that every field of one can be wrong. */
import { crc32, deflateRawSync } from 'node:zlib'

export interface ZippedFile {
  readonly name: string
  readonly content: Buffer | string
  /** Default stored. */
  readonly deflate?: boolean
  readonly encrypted?: boolean
  /** Another method than stored (0) or deflate (8). */
  readonly method?: number
  /** What the directory says instead of the truth. */
  readonly crc?: number
  readonly size?: number
}

/** An archive of these files, in order. */
export function zipOf(files: readonly ZippedFile[]): Buffer {
  const bodies: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const file of files) {
    const plain = Buffer.from(file.content)
    const packed = file.deflate ? deflateRawSync(plain) : plain
    const name = Buffer.from(file.name)
    const shared = sharedFields(file, plain, packed, name)
    const local = Buffer.concat([signature(0x04034b50), shared, name, packed])
    const central = Buffer.concat([
      signature(0x02014b50),
      number(2, 20),
      shared,
      Buffer.alloc(10),
      number(4, offset),
      name,
    ])
    bodies.push(local)
    directory.push(central)
    offset += local.length
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0)
  const end = [signature(0x06054b50), Buffer.alloc(4), number(2, files.length), number(2, files.length)]
  return Buffer.concat([...bodies, ...directory, ...end, number(4, size), number(4, offset), number(2, 0)])
}

/** Version, flags, method, time, date, CRC-32, sizes and lengths: the same in both headers. */
function sharedFields(file: ZippedFile, plain: Buffer, packed: Buffer, name: Buffer): Buffer {
  const flags = 0x800 | (file.encrypted ? 1 : 0)
  const method = file.method ?? (file.deflate ? 8 : 0)
  // An encrypted file has a header of twelve bytes before its data.
  const packedSize = packed.length
  const plainSize = file.size ?? (file.encrypted ? Math.max(0, packedSize - 12) : plain.length)
  return Buffer.concat([
    ...[number(2, 20), number(2, flags), number(2, method), Buffer.alloc(4)],
    ...[number(4, file.crc ?? crc32(plain)), number(4, packedSize), number(4, plainSize)],
    ...[number(2, name.length), number(2, 0)],
  ])
}

function signature(value: number): Buffer {
  return number(4, value)
}

function number(bytes: 2 | 4, value: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  buffer.writeUIntLE(value, 0, bytes)
  return buffer
}
