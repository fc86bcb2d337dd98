/** The runs that settings were chosen from: their scores on development rooms. */
import { aggregate } from '../../src/eval/index.js'
import { type CellResult, readPoints } from './result.js'
import { roomRows } from './room-rows.js'
import { studySet } from './rooms.js'

export interface Tuned {
  readonly method: string
  readonly learningRate: number
  /** Points of 100, the order of appearance among them. */
  readonly average: number
}

/** In the order of the methods and rates; none where nothing was tuned. */
export function tuned(results: readonly CellResult[]): Tuned[] {
  return results
    .flatMap(({ cell: { method, learningRate }, size, evaluations: [evaluation] }) => {
      if (learningRate === undefined || evaluation === undefined) return []
      const { rows } = roomRows(studySet('dev', size.devRooms), 'vanilla')
      return [{ method, learningRate, average: aggregate(rows, readPoints(evaluation.points)).average ?? 0 }]
    })
    .sort((a, b) => a.method.localeCompare(b.method) || a.learningRate - b.learningRate)
}
