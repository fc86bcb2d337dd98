/**
 * TensorBoard's events as bytes: three protobuf messages by hand, each in a TFRecord (length, data, and a masked CRC-32C
 * of both). Field numbers are those of TensorBoard's `event.proto`, `summary.proto` and `tensor.proto`. Pure.
 */

/** What an event holds: numbers or a text under their tags, or the mark of a (re)start. */
export type EventContent =
  | { readonly kind: 'version' }
  /** Readers drop what earlier files say of this step and later ones. */
  | { readonly kind: 'start' }
  | { readonly kind: 'scalars'; readonly values: Readonly<Record<string, number>> }
  /** Markdown. */
  | { readonly kind: 'text'; readonly tag: string; readonly text: string }

export interface EventStamp {
  /** Seconds since 1970. */
  readonly wallTime: number
  readonly step: number
}

const fileVersion = 'brain.Event:2'
const sessionStart = 1
const stringType = 7

/** One event, framed as a record of an event file. */
export function eventRecord(content: EventContent, { wallTime, step }: EventStamp): Buffer {
  return framed(Buffer.concat([double(1, wallTime), integer(2, step), contentField(content)]))
}

function contentField(content: EventContent): Buffer {
  if (content.kind === 'version') return text(3, fileVersion)
  if (content.kind === 'start') return message(7, integer(1, sessionStart))
  if (content.kind === 'text') return message(5, textValue(content.tag, content.text))
  return message(5, ...Object.entries(content.values).map(([tag, value]) => message(1, text(1, tag), float(2, value))))
}

function textValue(tag: string, markdown: string): Buffer {
  const scalarShape = message(2)
  const tensor = message(8, integer(1, stringType), scalarShape, text(8, markdown))
  const plugin = message(9, message(1, text(1, 'text')))
  return message(1, text(1, tag), tensor, plugin)
}

// Protobuf's wire types. Zero integers are left out, as its own encoders do.
function integer(field: number, value: number): Buffer {
  return value === 0 ? Buffer.alloc(0) : Buffer.from([...key(field, 0), ...varint(value)])
}

function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return Buffer.concat([Buffer.from(key(field, 1)), bytes])
}

function float(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return Buffer.concat([Buffer.from(key(field, 5)), bytes])
}

function text(field: number, value: string): Buffer {
  return message(field, Buffer.from(value))
}

function message(field: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([...key(field, 2), ...varint(body.length)]), body])
}

function key(field: number, wireType: number): number[] {
  return varint(field * 8 + wireType)
}

/** A count (>= 0) in groups of seven bits, lowest first. */
function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]
}

function framed(data: Buffer): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(data.length))
  return Buffer.concat([length, maskedCrc(length), data, maskedCrc(data)])
}

/** TFRecord's mask: CRCs of data that holds CRCs are weak. */
function maskedCrc(bytes: Uint8Array): Buffer {
  const crc = crc32c(bytes)
  const masked = Buffer.alloc(4)
  masked.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0)
  return masked
}

/** Castagnoli's polynomial, reflected. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

/** CRC-32C (iSCSI's); of '123456789' it is e3069283. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 255] ?? 0)
  return (crc ^ 0xffffffff) >>> 0
}
