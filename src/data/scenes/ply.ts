/** The vertices of a PLY file, ASCII or binary. Other elements that follow them are not read. */
import { dataError } from '../../errors.js'
import { readBytes } from './json-text.js'
import type { Points } from './points.js'

/** Bytes and reader of every scalar type. */
const types: Readonly<Record<string, readonly [number, (view: DataView, at: number, little: boolean) => number]>> = {
  char: [1, (view, at) => view.getInt8(at)],
  uchar: [1, (view, at) => view.getUint8(at)],
  short: [2, (view, at, little) => view.getInt16(at, little)],
  ushort: [2, (view, at, little) => view.getUint16(at, little)],
  int: [4, (view, at, little) => view.getInt32(at, little)],
  uint: [4, (view, at, little) => view.getUint32(at, little)],
  float: [4, (view, at, little) => view.getFloat32(at, little)],
  double: [8, (view, at, little) => view.getFloat64(at, little)],
}

const sized: Readonly<Record<string, string>> = {
  ...{ int8: 'char', uint8: 'uchar', int16: 'short', uint16: 'ushort', int32: 'int', uint32: 'uint' },
  ...{ float32: 'float', float64: 'double' },
}

const formats = ['ascii', 'binary_little_endian', 'binary_big_endian'] as const

interface Property {
  readonly name: string
  readonly type: string
  /** Bytes from the start of a vertex. */
  readonly offset: number
}

interface Header {
  readonly format: (typeof formats)[number]
  readonly vertices: number
  readonly properties: readonly Property[]
  /** Bytes per vertex. */
  readonly stride: number
  /** Where the vertices start. */
  readonly bytes: number
}

/** Reads x, y, z of every vertex. Throws an InputError that names the file and what is wrong with it. */
export function readPlyPoints(file: string): Points {
  const bytes = readBytes(file, 'a PLY file')
  const header = readHeader(bytes, file)
  const points = header.format === 'ascii' ? readAscii(bytes, header, file) : readBinary(bytes, header, file)
  const bad = points.findIndex((value) => !Number.isFinite(value))
  if (bad < 0) return points
  throw dataError(
    `${file}: vertex ${Math.floor(bad / 3)}: ${'xyz'[bad % 3]}: expected a finite number, got ${points[bad]}`,
  )
}

function readHeader(bytes: Buffer, file: string): Header {
  if (bytes.toString('latin1', 0, 3) !== 'ply') throw dataError(`${file}: expected a PLY file, which starts with "ply"`)
  const end = bytes.indexOf('end_header')
  const bodyAt = end < 0 ? -1 : bytes.indexOf('\n', end) + 1
  if (bodyAt <= 0) throw dataError(`${file}: the header has no end_header; the file is cut off`)
  const lines = bytes.toString('latin1', 0, end).split(/\r?\n/)
  const format = formats.find((name) => lines.some((line) => line.startsWith(`format ${name} `)))
  if (format === undefined) {
    const given = lines.find((line) => line.startsWith('format')) ?? 'nothing'
    throw dataError(`${file}: format: expected ${formats.join(', ')}, got "${given}"`)
  }
  return { format, bytes: bodyAt, ...readVertexElement(lines, file) }
}

function readVertexElement(lines: readonly string[], file: string) {
  const elements = lines.filter((line) => line.startsWith('element '))
  const [, name = 'none', count = ''] = elements[0]?.split(/\s+/) ?? []
  if (name !== 'vertex') throw dataError(`${file}: expected vertices as the first element, got ${name}`)
  const vertices = Number(count)
  if (!Number.isSafeInteger(vertices) || vertices < 1) {
    throw dataError(`${file}: element vertex: expected how many, got "${count}"`)
  }
  const from = lines.indexOf(elements[0] ?? '') + 1
  const to = elements[1] === undefined ? lines.length : lines.indexOf(elements[1])
  let stride = 0
  const properties = lines
    .slice(from, to)
    .filter((line) => line.startsWith('property '))
    .map((line): Property => {
      const [, given = '', property = ''] = line.trim().split(/\s+/)
      const type = sized[given] ?? given
      const known = Object.hasOwn(types, type) ? types[type] : undefined
      if (known === undefined) throw dataError(`${file}: "${line}": vertices cannot have a property of type ${given}`)
      stride += known[0]
      return { name: property, type, offset: stride - known[0] }
    })
  for (const axis of ['x', 'y', 'z']) {
    if (!properties.some((property) => property.name === axis))
      throw dataError(`${file}: vertices have no property ${axis}`)
  }
  return { vertices, properties, stride }
}

function readBinary(bytes: Buffer, header: Header, file: string): Points {
  const { vertices, stride, properties } = header
  const held = Math.floor((bytes.length - header.bytes) / stride)
  if (held < vertices) throw dataError(`${file}: expected ${vertices} vertices, got ${held}; the file is cut off`)
  const view = new DataView(bytes.buffer, bytes.byteOffset + header.bytes)
  const little = header.format === 'binary_little_endian'
  const points = new Float64Array(3 * vertices)
  for (const [axis, name] of ['x', 'y', 'z'].entries()) {
    const { type = '', offset = 0 } = properties.find((property) => property.name === name) ?? {}
    const read = types[type]?.[1]
    if (read === undefined) continue
    for (let i = 0; i < vertices; i++) points[3 * i + axis] = read(view, i * stride + offset, little)
  }
  return points
}

function readAscii(bytes: Buffer, header: Header, file: string): Points {
  const lines = bytes.toString('latin1', header.bytes).split('\n')
  const columns = ['x', 'y', 'z'].map((name) => header.properties.findIndex((property) => property.name === name))
  const points = new Float64Array(3 * header.vertices)
  for (let i = 0; i < header.vertices; i++) {
    const cells = lines[i]?.trim().split(/\s+/) ?? []
    if (cells.length === 0 || cells[0] === '') {
      throw dataError(`${file}: expected ${header.vertices} vertices, got ${i}; the file is cut off`)
    }
    if (cells.length !== header.properties.length) {
      throw dataError(`${file}: vertex ${i}: expected ${header.properties.length} numbers, got "${lines[i]?.trim()}"`)
    }
    for (const [axis, column] of columns.entries()) points[3 * i + axis] = Number(cells[column])
  }
  return points
}
