/**
 * The points that VSI-Bench measures distances between: a grid in each box, cropped to the box.
 *
 * The benchmark laid a grid of at most 5 cm through a box, both faces included, kept what lies outside the inner half,
 * turned the points into the room, and let Open3D crop them to the same box. In exact arithmetic that crop removes nothing;
 * in float64 about half of the points on a face fall a rounding error outside and are lost. So its distances are a few
 * centimetres longer than those between the faces, most of all for thin things that have no points but on their faces.
 * The same sums in the same order lose nearly the same points here: they are part of the definition, not noise to be cleaned.
 */
import type { BoxRecord } from './record.js'

export interface SamplePoints {
  /** Steps of the grid along the box's axes, and how many points each axis has. */
  readonly step: Float64Array
  readonly counts: Int32Array
  readonly half: Float64Array
  readonly center: Float64Array
  readonly axes: Float64Array
  /** Per point of the grid, (i * counts[1] + j) * counts[2] + k: 1 = kept. */
  readonly kept: Uint8Array
  /** Kept points as x, y, z in the room. */
  readonly all: Float64Array
  /** Those of them in the two outermost layers: the closest to anything outside the box is one of these. */
  readonly shell: Float64Array
}

const gridStep = 0.05
/** A grid of more points is made coarser: such a box is no furniture, or its file is not in metres. */
const mostPoints = 4e6
/** The finest grid that is tried where rounding loses every point. */
const mostRetried = 1e5

/** The points of a box. A bed has thousands: keep them no longer than its scene is worked on. */
export function samplePoints(box: BoxRecord): SamplePoints {
  let spacing = gridStep
  while (gridSize(box, spacing) > mostPoints) spacing *= 2
  for (let finer = spacing; gridSize(box, finer) <= mostRetried; finer /= 2) {
    // Where rounding loses every point of the grid, the benchmark takes one half as wide.
    const points = sampleAt(box, finer)
    if (points.all.length > 0) return points
  }
  const points = sampleAt(box, spacing)
  return points.all.length > 0 ? points : sampleAt(box, spacing, { crop: false })
}

function gridSize(box: BoxRecord, spacing: number): number {
  return countsOf(box, spacing).reduce((product, count) => product * count, 1)
}

function countsOf({ axesLengths }: BoxRecord, spacing: number): number[] {
  return axesLengths.map((length) => Math.max(1, Math.ceil(length / spacing)))
}

function sampleAt(box: BoxRecord, spacing: number, { crop = true } = {}): SamplePoints {
  const counts = Int32Array.from(countsOf(box, spacing))
  const places = box.axesLengths.map((length, i) => linspace(length, counts[i] ?? 1))
  const half = Float64Array.from(box.axesLengths, (length) => length / 2)
  const grid: Grid = {
    counts,
    half,
    // Uncropped, every point of the grid is within reach.
    reach: crop ? half : half.map(() => Number.POSITIVE_INFINITY),
    center: Float64Array.from(box.centroid),
    axes: Float64Array.from(box.normalizedAxes),
  }
  const step = Float64Array.from(box.axesLengths, (length, i) => length / Math.max(1, (counts[i] ?? 1) - 1))
  return { ...grid, ...keep(grid, places), step }
}

interface Grid {
  readonly counts: Int32Array
  readonly half: Float64Array
  /** How far from the centre along each axis a point is kept. */
  readonly reach: Float64Array
  readonly center: Float64Array
  readonly axes: Float64Array
}

/** `count` places from -length / 2 to length / 2; the first alone when there is one. */
function linspace(length: number, count: number): Float64Array {
  const places = new Float64Array(count)
  const step = length / (count - 1)
  for (let i = 0; i < count; i++) places[i] = i === 0 ? -length / 2 : i * step - length / 2
  if (count > 1) places[count - 1] = length / 2
  return places
}

function keep(grid: Grid, places: readonly Float64Array[]) {
  const [nx = 1, ny = 1, nz = 1] = grid.counts
  const [us, vs, ws] = places
  const kept = new Uint8Array(nx * ny * nz)
  const all: number[] = []
  const shell: number[] = []
  if (us === undefined || vs === undefined || ws === undefined) throw new RangeError('a grid has three axes')
  for (let i = 0; i < nx; i++) {
    for (let j = 0; j < ny; j++) {
      for (let k = 0; k < nz; k++) {
        const point = keptPoint(grid, us[i] ?? 0, vs[j] ?? 0, ws[k] ?? 0)
        if (point === undefined) continue
        kept[(i * ny + j) * nz + k] = 1
        all.push(point[0], point[1], point[2])
        const outer = isOuter(i, nx) || isOuter(j, ny) || isOuter(k, nz)
        if (outer) shell.push(point[0], point[1], point[2])
      }
    }
  }
  return { kept, all: Float64Array.from(all), shell: Float64Array.from(shell) }
}

function isOuter(index: number, count: number): boolean {
  return index < 2 || index >= count - 2
}

/** The point in the room, or undefined when it is in the inner half or is lost in the crop. */
function keptPoint({ half, reach, center, axes }: Grid, u: number, v: number, w: number) {
  const [hx = 0, hy = 0, hz = 0] = half
  if (Math.abs(u) <= hx / 2 && Math.abs(v) <= hy / 2 && Math.abs(w) <= hz / 2) return undefined
  const [ax = 0, ay = 0, az = 0, bx = 0, by = 0, bz = 0, cx = 0, cy = 0, cz = 0] = axes
  const [x0 = 0, y0 = 0, z0 = 0] = center
  const x = u * ax + v * bx + w * cx + x0
  const y = u * ay + v * by + w * cy + y0
  const z = u * az + v * bz + w * cz + z0
  const [dx, dy, dz] = [x - x0, y - y0, z - z0]
  if (Math.abs(dx * ax + dy * ay + dz * az) > (reach[0] ?? 0)) return undefined
  if (Math.abs(dx * bx + dy * by + dz * bz) > (reach[1] ?? 0)) return undefined
  if (Math.abs(dx * cx + dy * cy + dz * cz) > (reach[2] ?? 0)) return undefined
  return [x, y, z] as const
}
