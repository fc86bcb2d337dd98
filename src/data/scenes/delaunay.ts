/**
 * Delaunay triangulation of points in the plane, by Bowyer and Watson: each new point takes the place of the triangles whose
 * circle holds it. Points are added cell by cell of a grid, so that each is found near the one before.
 */

/** Flat lists of three per triangle. */
export interface Triangulation {
  /** x, y of every point; the last three are the corners of the triangle around everything. */
  readonly places: Float64Array
  /** Points per triangle, counter-clockwise. */
  readonly corners: Int32Array
  /** The triangle across from each corner; -1 for none. */
  readonly neighbours: Int32Array
  /** How many points were given. */
  readonly count: number
}

/** Triangulates n points given as 2 n numbers. No two may be equal, and no four on a circle: jitter such points. */
export function delaunay(points: Float64Array): Triangulation {
  const count = points.length / 2
  const mesh = new Mesh(withOuterTriangle(points), count)
  for (const index of cellByCell(points)) mesh.add(index)
  return mesh.result()
}

class Mesh {
  private readonly corners: number[]
  private readonly neighbours: number[] = [-1, -1, -1]
  /** Triangles that were replaced, to be used again. */
  private readonly free: number[] = []
  private last = 0

  constructor(
    private readonly places: Float64Array,
    private readonly count: number,
  ) {
    this.corners = [count, count + 1, count + 2]
  }

  add(point: number): void {
    const cavity = this.cavityOf(point)
    const rim = this.rimOf(cavity)
    this.free.push(...cavity)
    const startsAt = new Map<number, number>()
    const fan = rim.map(({ from, to, across }) => {
      const triangle = this.free.pop() ?? this.corners.length / 3
      this.set(triangle, [from, to, point], [-1, -1, across])
      if (across >= 0) this.link(across, from, triangle)
      startsAt.set(from, triangle)
      return { triangle, to }
    })
    for (const { triangle, to } of fan) {
      const next = startsAt.get(to) ?? -1
      this.neighbours[3 * triangle] = next
      if (next >= 0) this.neighbours[3 * next + 1] = triangle
    }
    this.last = fan[0]?.triangle ?? this.last
  }

  result(): Triangulation {
    const unused = new Set(this.free)
    const kept = Array.from({ length: this.corners.length / 3 }, (_, i) => i).filter((i) => !unused.has(i))
    const place = new Map(kept.map((triangle, i) => [triangle, i]))
    const pick = (list: readonly number[], map: (value: number) => number): Int32Array =>
      Int32Array.from(kept.flatMap((t) => [0, 1, 2].map((i) => map(list[3 * t + i] ?? -1))))
    return {
      places: this.places,
      count: this.count,
      corners: pick(this.corners, (corner) => corner),
      neighbours: pick(this.neighbours, (triangle) => place.get(triangle) ?? -1),
    }
  }

  /** All triangles whose circle holds the point; they hang together. */
  private cavityOf(point: number): number[] {
    const first = this.locate(point)
    const cavity = new Set([first])
    for (const triangle of cavity) {
      for (let i = 0; i < 3; i++) {
        const next = this.neighbours[3 * triangle + i] ?? -1
        if (next >= 0 && !cavity.has(next) && this.circleHolds(next, point)) cavity.add(next)
      }
    }
    return [...cavity]
  }

  private rimOf(cavity: readonly number[]) {
    const inside = new Set(cavity)
    return cavity.flatMap((triangle) =>
      [0, 1, 2].flatMap((i) => {
        const across = this.neighbours[3 * triangle + i] ?? -1
        if (inside.has(across)) return []
        return { from: this.corner(triangle, i + 1), to: this.corner(triangle, i + 2), across }
      }),
    )
  }

  /** Walks from the last triangle towards the point. */
  private locate(point: number): number {
    let triangle = this.last
    for (let steps = 0; steps < this.corners.length; steps++) {
      const exit = [0, 1, 2].find(
        (i) => this.turn(this.corner(triangle, i + 1), this.corner(triangle, i + 2), point) < 0,
      )
      const next = exit === undefined ? -1 : (this.neighbours[3 * triangle + exit] ?? -1)
      if (next < 0) return triangle
      triangle = next
    }
    return triangle
  }

  /** Makes `triangle` the neighbour of `across` over the edge that ends at `from` when seen from there. */
  private link(across: number, from: number, triangle: number): void {
    const i = [0, 1, 2].find((k) => this.corner(across, k + 2) === from) ?? 0
    this.neighbours[3 * across + i] = triangle
  }

  private set(triangle: number, corners: readonly number[], neighbours: readonly number[]): void {
    for (let i = 0; i < 3; i++) {
      this.corners[3 * triangle + i] = corners[i] ?? 0
      this.neighbours[3 * triangle + i] = neighbours[i] ?? -1
    }
  }

  private corner(triangle: number, i: number): number {
    return this.corners[3 * triangle + (i % 3)] ?? 0
  }

  private turn(a: number, b: number, c: number): number {
    const { places: p } = this
    const [ax, ay] = [p[2 * a] ?? 0, p[2 * a + 1] ?? 0]
    return ((p[2 * b] ?? 0) - ax) * ((p[2 * c + 1] ?? 0) - ay) - ((p[2 * b + 1] ?? 0) - ay) * ((p[2 * c] ?? 0) - ax)
  }

  private circleHolds(triangle: number, point: number): boolean {
    const { places: p } = this
    const [x, y] = [p[2 * point] ?? 0, p[2 * point + 1] ?? 0]
    const offset = (i: number): readonly [number, number, number] => {
      const corner = this.corner(triangle, i)
      const [dx, dy] = [(p[2 * corner] ?? 0) - x, (p[2 * corner + 1] ?? 0) - y]
      return [dx, dy, dx * dx + dy * dy]
    }
    const [a, b, c] = [offset(0), offset(1), offset(2)]
    const det =
      a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])
    return det > 0
  }
}

function withOuterTriangle(points: Float64Array): Float64Array {
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity]
  for (let i = 0; i < points.length; i += 2) {
    left = Math.min(left, points[i] ?? 0)
    right = Math.max(right, points[i] ?? 0)
    bottom = Math.min(bottom, points[i + 1] ?? 0)
    top = Math.max(top, points[i + 1] ?? 0)
  }
  const far = 50 * Math.max(right - left, top - bottom, 1)
  const [x, y] = [(left + right) / 2, (bottom + top) / 2]
  const places = new Float64Array(points.length + 6)
  places.set(points)
  places.set([x - far, y - far, x + far, y - far, x, y + far], points.length)
  return places
}

/** Indices in an order that goes up and down the columns of a grid. */
function cellByCell(points: Float64Array): number[] {
  const count = points.length / 2
  const order = Array.from({ length: count }, (_, i) => i).sort((i, j) => (points[2 * i] ?? 0) - (points[2 * j] ?? 0))
  const perColumn = Math.max(1, Math.ceil(Math.sqrt(count)))
  const columns = Array.from({ length: Math.ceil(count / perColumn) }, (_, c) =>
    order.slice(c * perColumn, (c + 1) * perColumn).sort((i, j) => {
      const rise = (points[2 * i + 1] ?? 0) - (points[2 * j + 1] ?? 0)
      return c % 2 === 0 ? rise : -rise
    }),
  )
  return columns.flat()
}
