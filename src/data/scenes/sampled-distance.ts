/**
 * The distance that VSI-Bench means by "measuring from the closest point of each object": the least between the sample
 * points of two boxes. Found without trying all pairs: from each point of one box, only those points of the other's grid
 * are tried that can be closer than the best so far.
 */
import { boxDistance } from './box-distance.js'
import type { BoxRecord } from './record.js'
import type { SamplePoints } from './sample-points.js'

/** Gives the points of a box, as often as it is asked. */
export type Sampler = (box: BoxRecord) => SamplePoints

/** Metres between the closest sample points of any two boxes of two lists; infinite when one is empty. */
export function sampledDistance(a: readonly BoxRecord[], b: readonly BoxRecord[], sampler: Sampler): number {
  const pairs = a.flatMap((first) => b.map((second) => ({ first, second, atLeast: boxDistance(first, second) })))
  pairs.sort((p, q) => p.atLeast - q.atLeast)
  let least = Number.POSITIVE_INFINITY
  // Points lie in their boxes: no two are closer than the boxes are.
  for (const { first, second, atLeast } of pairs) {
    if (atLeast >= least) break
    least = Math.min(least, leastBetween(sampler(first), sampler(second), atLeast > 0 ? 'shell' : 'all'))
  }
  return least
}

/** Goes through the points of the box that has fewer. */
function leastBetween(a: SamplePoints, b: SamplePoints, part: 'shell' | 'all'): number {
  return a[part].length > b[part].length ? nearestTo(a, b[part]) : nearestTo(b, a[part])
}

/** Starts at the point nearest to the other box, which makes the best so far good enough to pass over most of the rest. */
function nearestTo(target: SamplePoints, points: Float64Array): number {
  const search = new NearestSearch(target)
  const count = points.length / 3
  const atLeast = new Float64Array(count)
  let nearest = 0
  for (let i = 0; i < count; i++) {
    atLeast[i] = search.atLeast(points[3 * i] ?? 0, points[3 * i + 1] ?? 0, points[3 * i + 2] ?? 0)
    if ((atLeast[i] ?? 0) < (atLeast[nearest] ?? 0)) nearest = i
  }
  const visit = (i: number): void => search.visit(points[3 * i] ?? 0, points[3 * i + 1] ?? 0, points[3 * i + 2] ?? 0)
  visit(nearest)
  for (let i = 0; i < count; i++) {
    if ((atLeast[i] ?? 0) < search.best) visit(i)
  }
  return Math.sqrt(search.best)
}

/** The nearest kept point of one grid to points that come one after the other. */
class NearestSearch {
  /** The least squared distance so far. */
  best = Number.POSITIVE_INFINITY
  /** The point in the grid's own axes, and by how much it lies beyond the faces. */
  private readonly local = new Float64Array(3)
  private readonly beyond = new Float64Array(3)
  private readonly from = new Int32Array(3)
  private readonly to = new Int32Array(3)

  constructor(private readonly grid: SamplePoints) {}

  /** The squared distance from a point to the box of the grid. */
  atLeast(x: number, y: number, z: number): number {
    const { center, axes, half } = this.grid
    const [dx, dy, dz] = [x - (center[0] ?? 0), y - (center[1] ?? 0), z - (center[2] ?? 0)]
    let sum = 0
    for (let i = 0; i < 3; i++) {
      const along = dx * (axes[3 * i] ?? 0) + dy * (axes[3 * i + 1] ?? 0) + dz * (axes[3 * i + 2] ?? 0)
      const beyond = Math.max(0, Math.abs(along) - (half[i] ?? 0))
      this.local[i] = along
      this.beyond[i] = beyond * beyond
      sum += beyond * beyond
    }
    return sum
  }

  /** Tries a point. */
  visit(x: number, y: number, z: number): void {
    const sum = this.atLeast(x, y, z)
    for (let i = 0; i < 3; i++) this.bound(i, sum - (this.beyond[i] ?? 0))
    this.scan()
  }

  /** Grid indices along axis i that are not too far off, `others` being the squared distance along the other two axes. */
  private bound(i: number, others: number): void {
    const { step, half, counts } = this.grid
    const last = (counts[i] ?? 1) - 1
    const radius = Math.sqrt(Math.max(0, this.best - others))
    const place = (this.local[i] ?? 0) + (half[i] ?? 0)
    const width = step[i] ?? 1
    const slack = 1e-9
    this.from[i] = Math.max(0, Math.ceil((place - radius) / width - slack))
    this.to[i] = Math.min(last, Math.floor((place + radius) / width + slack))
  }

  private scan(): void {
    const { kept, counts } = this.grid
    const [ny, nz] = [counts[1] ?? 1, counts[2] ?? 1]
    const [i0, j0, k0] = [this.from[0] ?? 0, this.from[1] ?? 0, this.from[2] ?? 0]
    const [i1, j1, k1] = [this.to[0] ?? 0, this.to[1] ?? 0, this.to[2] ?? 0]
    for (let i = i0; i <= i1; i++) {
      const x = this.offset(0, i)
      for (let j = j0; j <= j1; j++) {
        const y = this.offset(1, j)
        const partial = x * x + y * y
        if (partial >= this.best) continue
        for (let k = k0; k <= k1; k++) {
          if (kept[(i * ny + j) * nz + k] !== 1) continue
          const z = this.offset(2, k)
          this.best = Math.min(this.best, partial + z * z)
        }
      }
    }
  }

  private offset(axis: 0 | 1 | 2, index: number): number {
    const { step, half } = this.grid
    return (this.local[axis] ?? 0) + (half[axis] ?? 0) - index * (step[axis] ?? 0)
  }
}
