/** Writes small scans in exactly ScanNet's files: a floor, and boxes of points standing on it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Vec3 } from '../../../../src/data/scenes/record.js'

export interface Furniture {
  /** ScanNet's raw category. */
  readonly label: string
  readonly centre: Vec3
  readonly size: Vec3
  /** Radians about the vertical. */
  readonly yaw: number
}

export interface ScanOptions {
  readonly format?: 'ascii' | 'binary_little_endian' | 'binary_big_endian'
  /** Width and depth of the floor in metres. */
  readonly floor?: readonly [number, number]
  /** The scanner's own axes: the scan is stored turned by this much, and the alignment turns it back. Radians. */
  readonly turned?: number
}

export const furniture: readonly Furniture[] = [
  { label: 'office chair', centre: [1, 1, 0.5], size: [0.6, 0.5, 1], yaw: 0.3 },
  { label: 'chair', centre: [1, 3, 0.45], size: [0.5, 0.5, 0.9], yaw: 0 },
  { label: 'desk', centre: [3, 1, 0.4], size: [1.6, 0.8, 0.8], yaw: 1.1 },
  { label: 'trash can', centre: [4.5, 3.2, 0.2], size: [0.3, 0.3, 0.4], yaw: 0.2 },
  { label: 'mouse', centre: [3, 1, 0.83], size: [0.1, 0.06, 0.04], yaw: 0.5 },
  { label: 'wall', centre: [2.5, 3.95, 1], size: [5, 0.1, 2], yaw: 0 },
]

export const labelTable = [
  'id\traw_category\tcategory\tcount\tnyu40id\teigen13id\tnyuClass\tnyu40class',
  '2\tchair\tchair\t8278\t5\t4\tchair\tchair',
  '5\toffice chair\toffice chair\t595\t5\t4\tchair\tchair',
  '14\tdesk\tdesk\t680\t14\t10\tdesk\tdesk',
  '12\ttrash can\ttrash can\t1216\t39\t6\tgarbage bin\totherfurniture',
  '159\tmouse\tmouse\t133\t40\t7\tmouse\totherprop',
  '1\twall\twall\t7274\t1\t12\twall\twall',
].join('\n')

type Point = [number, number, number]

/** Writes <dir>/<scene>/ and returns its path. */
export function writeScan(dir: string, scene: string, options: ScanOptions = {}): string {
  const { format = 'binary_little_endian', floor = [5, 4], turned = 0 } = options
  const groups = [floorPoints(floor), ...furniture.map(boxPoints)]
  const points = groups.flat().map((point) => turn(point, turned))
  // Two segments per object, and numbers with gaps, as over-segmentation leaves them.
  const segments = groups.flatMap((group, i) => group.map((_, k) => 10 * i + (k % 2)))
  const segGroups = furniture.map(({ label }, i) => ({
    id: i,
    objectId: i,
    segments: [10 * (i + 1), 10 * (i + 1) + 1],
    label,
  }))
  const folder = join(dir, scene)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${scene}_vh_clean_2.ply`), plyOf(points, format))
  const segs = { params: { kThresh: '0.0001' }, sceneId: scene, segIndices: segments }
  writeFileSync(join(folder, `${scene}_vh_clean_2.0.010000.segs.json`), JSON.stringify(segs))
  writeFileSync(join(folder, `${scene}.aggregation.json`), JSON.stringify({ sceneId: `scannet.${scene}`, segGroups }))
  const [cos, sin] = [Math.cos(turned), Math.sin(turned)]
  const matrix = [cos, sin, 0, 0, -sin, cos, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
  writeFileSync(
    join(folder, `${scene}.txt`),
    `axisAlignment = ${matrix.map((value) => value.toFixed(6)).join(' ')} \ncolorHeight = 968\nsceneType = Office\n`,
  )
  return folder
}

/** A mesh as ScanNet writes it: coloured vertices and one face. */
export function plyOf(points: readonly Point[], format: string): Buffer {
  const header = [
    ...['ply', `format ${format} 1.0`, 'comment VCGLIB generated', `element vertex ${points.length}`],
    ...['property float x', 'property float y', 'property float z'],
    ...['property uchar red', 'property uchar green', 'property uchar blue', 'property uchar alpha'],
    ...['element face 1', 'property list uchar int vertex_indices', 'end_header', ''],
  ].join('\n')
  if (format === 'ascii') {
    const rows = points.map((point) => `${point.map((value) => Math.fround(value)).join(' ')} 10 20 30 255\n`)
    return Buffer.from(`${header}${rows.join('')}3 0 1 2\n`)
  }
  const body = Buffer.alloc(16 * points.length + 13)
  const little = format === 'binary_little_endian'
  for (const [i, point] of points.entries()) {
    for (const [axis, value] of point.entries()) {
      if (little) body.writeFloatLE(value, 16 * i + 4 * axis)
      else body.writeFloatBE(value, 16 * i + 4 * axis)
    }
    body.writeUInt32LE(0xff1e140a, 16 * i + 12)
  }
  body[16 * points.length] = 3
  return Buffer.concat([Buffer.from(header), body])
}

function floorPoints([width, depth]: readonly [number, number]): Point[] {
  const points: Point[] = []
  for (let x = 0; x <= width + 1e-9; x += 0.05) for (let y = 0; y <= depth + 1e-9; y += 0.05) points.push([x, y, 0])
  return points
}

/** A grid on the box's surface and inside. */
function boxPoints({ centre, size, yaw }: Furniture): Point[] {
  const [cos, sin] = [Math.cos(yaw), Math.sin(yaw)]
  const steps = [0, 0.2, 0.4, 0.6, 0.8, 1]
  return steps.flatMap((u) =>
    steps.flatMap((v) =>
      steps.map((w): Point => {
        const [a, b] = [(u - 0.5) * size[0], (v - 0.5) * size[1]]
        return [centre[0] + cos * a - sin * b, centre[1] + sin * a + cos * b, centre[2] + (w - 0.5) * size[2]]
      }),
    ),
  )
}

function turn([x, y, z]: Point, by: number): Point {
  return [Math.cos(by) * x - Math.sin(by) * y, Math.sin(by) * x + Math.cos(by) * y, z]
}
