/**
 * Rows of parquet files, one row group in memory at a time. Images and videos that lie in the file as bytes ({ bytes, path }
 * structs, as Hugging Face writes them) become files in a folder, each content once.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { extname, join, resolve } from 'node:path'
import zlib from 'node:zlib'
import { writeAtomically } from '../atomic-file.js'
import { dataError, errorCode, type InputError, messageOf } from '../errors.js'
import type { RawRow } from './rows.js'

export interface ParquetOptions {
  /** Where images and videos go that the file holds as bytes. */
  readonly mediaDir?: string
}

type Hyparquet = typeof import('hyparquet')
type Compressors = import('hyparquet').Compressors
type Metadata = import('hyparquet').FileMetaData

/** Rows in order; places are `file row n`, counted from 1. Throws an InputError for a file that is not whole parquet. */
export async function* parquetRows(path: string, options: ParquetOptions = {}): AsyncGenerator<RawRow> {
  const parquet = await import('hyparquet')
  const { file, metadata } = await openParquet(parquet, path)
  let begin = 0
  for (const [group, { num_rows: count }] of metadata.row_groups.entries()) {
    const end = begin + Number(count)
    const rows = await reading(`${path}: row group ${group + 1} of ${metadata.row_groups.length}`, () =>
      parquet.parquetReadObjects({ file, metadata, rowStart: begin, rowEnd: end, compressors, utf8: false }),
    )
    for (const [i, row] of rows.entries()) {
      const where = `${path} row ${begin + i + 1}`
      yield { value: plain(row, { where, field: '', ...options }), where }
    }
    begin = end
  }
}

async function openParquet(parquet: Hyparquet, path: string) {
  const { metadata, file } = await reading(path, async () => {
    const buffer = await parquet.asyncBufferFromFile(path)
    return { file: buffer, metadata: await parquet.parquetMetadataAsync(buffer) }
  })
  checkCodecs(metadata, path)
  return { metadata, file }
}

const zstd: unknown = Reflect.get(zlib, 'zstdDecompressSync')

/** Snappy comes with the reader, the rest with Node; zstd since Node 22.15. */
const compressors: Compressors = {
  GZIP: (input) => new Uint8Array(zlib.gunzipSync(input)),
  BROTLI: (input) => new Uint8Array(zlib.brotliDecompressSync(input)),
  ...(typeof zstd === 'function' ? { ZSTD: (input: Uint8Array) => new Uint8Array(zstd(input)) } : {}),
}

function checkCodecs({ row_groups: groups }: Metadata, path: string): void {
  const known = ['UNCOMPRESSED', 'SNAPPY', ...Object.keys(compressors)]
  for (const codec of groups.flatMap(({ columns }) => columns.map((column) => column.meta_data?.codec ?? known[0]))) {
    if (codec === undefined || known.includes(codec)) continue
    const cure =
      codec === 'ZSTD' ? 'use Node 22.15 or later, or write the file with snappy' : 'write the file with snappy'
    throw dataError(`${path}: expected columns in ${known.join(', ')}, got ${codec}; ${cure}`)
  }
}

async function reading<T>(where: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      throw dataError(`cannot read ${where}: no such file; give the path of a parquet file`, error)
    }
    const reason = messageOf(error)
    throw dataError(`${where}: expected a whole parquet file: ${reason}; fetch it again`, error)
  }
}

interface Place extends ParquetOptions {
  readonly where: string
  readonly field: string
}

/** A value as JSON would have it; bytes as files. */
function plain(value: unknown, place: Place): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) throw wrong(place, 'text or numbers', `${value.length} bytes`)
  if (ArrayBuffer.isView(value) || Array.isArray(value)) {
    return Array.from(value as ArrayLike<unknown>, (item, i) =>
      plain(item, { ...place, field: `${place.field}[${i}]` }),
    )
  }
  // The reader gives undefined for a null list.
  if (value === undefined || value === null) return null
  if (typeof value !== 'object') return value
  const fields: Readonly<Record<string, unknown>> = { ...value }
  if (fields.bytes instanceof Uint8Array) return saveMedia(fields.bytes, fields.path, place)
  if ('bytes' in fields && 'path' in fields) return fields.path
  return Object.fromEntries(
    Object.entries(fields).map(([name, item]) => {
      const field = place.field === '' ? name : `${place.field}.${name}`
      return [name, plain(item, { ...place, field })]
    }),
  )
}

/** The path of a file with these bytes. */
function saveMedia(bytes: Uint8Array, path: unknown, place: Place): string {
  const { mediaDir } = place
  if (mediaDir === undefined) {
    throw dataError(
      `${place.where}: ${place.field}: the file holds its media as bytes; say where to put them: mediaDir`,
    )
  }
  const name = createHash('sha256').update(bytes).digest('hex').slice(0, 32)
  const target = resolve(join(mediaDir, `${name}${endingOf(bytes, path)}`))
  if (!existsSync(target)) writeAtomically(target, bytes)
  return target
}

const signatures: readonly (readonly [at: number, text: string, ending: string])[] = [
  [1, 'PNG', '.png'],
  [0, '\xff\xd8\xff', '.jpg'],
  [8, 'WEBP', '.webp'],
  [4, 'ftyp', '.mp4'],
  [0, '\x1aE\xdf\xa3', '.mkv'],
]

function endingOf(bytes: Uint8Array, path: unknown): string {
  const head = Buffer.from(bytes.subarray(0, 16)).toString('latin1')
  const known = signatures.find(([at, text]) => head.startsWith(text, at))
  return known?.[2] ?? (typeof path === 'string' ? extname(path) : '')
}

function wrong({ where, field }: Place, expected: string, got: string): InputError {
  return dataError(`${where}: ${field}: expected ${expected}, got ${got}`)
}
