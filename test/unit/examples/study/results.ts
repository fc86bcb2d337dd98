/** Results of cells that were never run, for the tests of what is made of them. */
import type { Cell } from '../../../../examples/study/cells.js'
import { type CellResult, type Curve, writePoints } from '../../../../examples/study/result.js'
import { roomRows } from '../../../../examples/study/room-rows.js'
import { studySet } from '../../../../examples/study/rooms.js'
import { sizes } from '../../../../examples/study/sizes.js'

export const size = { ...sizes.smoke, testRooms: 30, devRooms: 10 }

/** The test questions of that size. */
export const rows = roomRows(studySet('test', size.testRooms), 'vanilla').rows

/** Points 1 for the part `share` of each kind of question, 0 for the others: the same questions for the same shift. */
export function pointsWith(share: number, shift = 0): number[] {
  const seen = new Map<string, number>()
  return rows.map(({ question_type: kind }) => {
    const k = (seen.get(kind) ?? shift) % size.testRooms
    seen.set(kind, k + 1)
    return k < share * size.testRooms ? 1 : 0
  })
}

interface Given {
  readonly points: readonly number[]
  readonly grey?: readonly number[]
  readonly curves?: Readonly<Record<string, Curve>>
}

export function resultOf(cell: Cell, { points, grey = points.map(() => 0), curves = {} }: Given): CellResult {
  const evaluation = { mode: cell.mode, format: 1, length: 3 }
  return {
    cell,
    size,
    args: {},
    steps: 10,
    questions: 960,
    operations: 1e12,
    seconds: { train: 60, evaluate: 6 },
    machine: 'a machine',
    commit: 'abc',
    finishedAt: '2025-01-01T00:00:00.000Z',
    evaluations: [
      { ...evaluation, show: 'frames', points: writePoints(points) },
      { ...evaluation, show: 'grey', points: writePoints(grey) },
    ],
    curves,
    samples: [],
  }
}
