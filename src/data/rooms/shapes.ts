/**
 * Furniture as a few tapered solids inside the unit cube: x along the front, y from front (0) to back (1), z up.
 * A solid with 4 sides is a box or a pyramid, one with more sides a cylinder or a cone.
 */
export type ShapeName =
  | 'bed'
  | 'bin'
  | 'cabinet'
  | 'chair'
  | 'door'
  | 'lamp'
  | 'plant'
  | 'round table'
  | 'shelf'
  | 'sofa'
  | 'stool'
  | 'table'

export interface Solid {
  readonly from: readonly [number, number, number]
  readonly to: readonly [number, number, number]
  readonly sides: number
  /** Size of the top relative to the bottom. */
  readonly taper: number
  /** Multiplies the category's colour; above 1 moves it towards white. */
  readonly tone: number
}

type Corner = Solid['from']

const round = 10

export const shapes: Readonly<Record<ShapeName, readonly Solid[]>> = {
  chair: [
    block([0.08, 0.08, 0], [0.92, 0.92, 0.5], 0.75),
    block([0, 0, 0.45], [1, 1, 0.55]),
    block([0, 0.8, 0.5], [1, 1, 1], 0.8),
  ],
  table: [...legs(0.06, 0.9), block([0, 0, 0.9], [1, 1, 1])],
  'round table': [solid([0.35, 0.35, 0], [0.65, 0.65, 0.9], round, 1, 0.6), solid([0, 0, 0.86], [1, 1, 1], 14)],
  bed: [
    block([0, 0, 0], [1, 1, 0.75]),
    block([0.08, 0.7, 0.75], [0.92, 0.93, 1], 1.6),
    block([0, 0.95, 0], [1, 1, 1], 0.6),
  ],
  sofa: [
    block([0.1, 0, 0], [0.9, 0.75, 0.5]),
    block([0, 0.72, 0], [1, 1, 1], 0.8),
    block([0, 0, 0], [0.12, 0.75, 0.7], 0.8),
    block([0.88, 0, 0], [1, 0.75, 0.7], 0.8),
  ],
  lamp: [
    solid([0.25, 0.25, 0], [0.75, 0.75, 0.05], round, 1, 0.5),
    solid([0.44, 0.44, 0.05], [0.56, 0.56, 0.6], 6, 1, 0.4),
    solid([0, 0, 0.6], [1, 1, 1], round, 0.45, 1.05),
  ],
  plant: [
    solid([0.25, 0.25, 0], [0.75, 0.75, 0.35], round, 1.2, 0.45),
    solid([0, 0, 0.35], [1, 1, 0.75], 8, 0.75),
    solid([0.14, 0.14, 0.75], [0.86, 0.86, 1], 8, 0.4, 1.1),
  ],
  stool: [solid([0.2, 0.2, 0], [0.8, 0.8, 0.85], 4, 0.8, 0.6), solid([0, 0, 0.85], [1, 1, 1], round)],
  cabinet: [
    block([0, 0.03, 0], [1, 1, 1]),
    block([0.04, 0, 0.05], [0.48, 0.05, 0.95], 1.15),
    block([0.52, 0, 0.05], [0.96, 0.05, 0.95], 1.15),
  ],
  shelf: [
    block([0, 0.9, 0], [1, 1, 1], 0.7),
    block([0, 0, 0], [0.05, 0.95, 1]),
    block([0.95, 0, 0], [1, 0.95, 1]),
    ...[0.02, 0.26, 0.5, 0.74, 0.96].map((z) => block([0.04, 0, z], [0.96, 0.95, z + 0.04], 1.1)),
  ],
  bin: [solid([0.1, 0.1, 0], [0.9, 0.9, 1], round, 1.25)],
  door: [block([0, 0, 0], [1, 1, 1]), block([0.82, -0.2, 0.46], [0.9, 0, 0.52], 1.8)],
}

function solid(from: Corner, to: Corner, sides = 4, taper = 1, tone = 1): Solid {
  return { from, to, sides, taper, tone }
}

function block(from: Corner, to: Corner, tone = 1): Solid {
  return solid(from, to, 4, 1, tone)
}

function legs(thickness: number, height: number): Solid[] {
  const starts: readonly Corner[] = [
    [0, 0, 0],
    [1 - thickness, 0, 0],
    [0, 1 - thickness, 0],
    [1 - thickness, 1 - thickness, 0],
  ]
  return starts.map(([x, y]) => block([x, y, 0], [x + thickness, y + thickness, height], 0.6))
}
