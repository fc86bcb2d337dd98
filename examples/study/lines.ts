/** The lines of the tables: one for each method and prompt, with the points of all its seeds; and the controls. */
import {
  type BlindQuestion,
  bestConstant,
  blindPoints,
  mostFrequent,
  perCategory,
  scorePrediction,
} from '../../src/eval/index.js'
import { betas, type Cell } from './cells.js'
import { type Mode, modes } from './modes.js'
import { type CellResult, type Evaluation, readPoints } from './result.js'
import { roomRows, type StudyRow } from './room-rows.js'
import { studySet } from './rooms.js'
import type { Size } from './sizes.js'

export interface Line {
  readonly name: string
  /** The prompt of the test. */
  readonly asked: Mode
  readonly show: Evaluation['show'] | 'nothing'
  /** Unset for controls that nothing was trained for. */
  readonly cell?: Cell
  /** Of each seed, in order. */
  readonly results: readonly CellResult[]
  /** [S][Q] */
  readonly points: readonly Float64Array[]
}

export interface Study {
  readonly size: Size
  readonly rows: readonly StudyRow[]
  readonly lines: readonly Line[]
  readonly results: readonly CellResult[]
}

/** Groups results by everything but the seed. Throws RangeError where sizes are mixed or there is nothing. */
export function studyOf(results: readonly CellResult[]): Study {
  const scored = results.filter(({ cell }) => cell.learningRate === undefined)
  const [first] = scored
  if (!first) throw new RangeError('no finished cell to report on; run the study first')
  const { size } = first
  const other = scored.find((result) => JSON.stringify(result.size) !== JSON.stringify(size))
  if (other) throw new RangeError(`${other.cell.name}: its size differs from ${first.cell.name}'s; report on one size`)
  const { rows } = roomRows(studySet('test', size.testRooms), 'vanilla')
  return { size, rows, results: scored, lines: [...trainedLines(scored), ...blindLines(rows, size)] }
}

function trainedLines(results: readonly CellResult[]): Line[] {
  const lines = new Map<string, Line & { points: Float64Array[]; results: CellResult[] }>()
  for (const result of [...results].sort((a, b) => placeOf(a.cell) - placeOf(b.cell))) {
    for (const { mode, show, points } of result.evaluations) {
      const { method, beta, budget } = result.cell
      const key = JSON.stringify([method, result.cell.mode, beta, budget, mode, show])
      const line = lines.get(key) ?? {
        name: `${nameOf(result.cell, mode)}${show === 'grey' ? ', grey frames' : ''}`,
        asked: mode,
        show,
        cell: result.cell,
        results: [],
        points: [],
      }
      lines.set(key, line)
      line.results.push(result)
      line.points.push(readPoints(points))
    }
  }
  return [...lines.values()]
}

/** In the order of the paper's table; seeds in turn. */
function placeOf({ method, mode, beta = 0, budget, seed }: Cell): number {
  const methods: readonly Cell['method'][] = ['base', 'sft', 'dpo', 'grpo']
  // Budgets come after what is trained, and seeds, fewer than a hundred, last.
  const budgets: readonly Cell['budget'][] = ['examples', 'compute']
  const weights: readonly number[] = betas
  const trained = 1e3 * methods.indexOf(method) + 100 * modes.indexOf(mode) + weights.indexOf(beta)
  return 1e3 * trained + 100 * budgets.indexOf(budget) + seed
}

function nameOf({ method, mode, beta }: Cell, asked: Mode): string {
  const prompt = mode === asked ? mode : `${mode}, asked ${asked}`
  if (method === 'base') return `base, ${prompt}`
  if (method !== 'grpo') return method.toUpperCase()
  return `GRPO, ${prompt}, β ${beta === 0 ? 0 : beta?.toExponential()}`
}

/** What rooms of the same kind teach about the answers, without a look at the room that is asked about. */
function blindLines(rows: readonly StudyRow[], size: Size): Line[] {
  const known = roomRows(studySet('blind', size.devRooms), 'vanilla').rows
  const [questions, training] = [rows.map(asBlind), known.map(asBlind)]
  const judge = (question: BlindQuestion, answer: string) =>
    scorePrediction({ question_type: question.kind as StudyRow['question_type'], ground_truth: question.truth }, answer)
  const controls = {
    'most frequent answer': mostFrequent,
    'best constant': bestConstant,
    'best constant per category': perCategory,
  }
  return Object.entries(controls).map(([name, fit]) => ({
    name: `blind, ${name}`,
    asked: 'vanilla',
    show: 'nothing',
    results: [],
    points: [blindPoints(questions, fit, judge, training) ?? new Float64Array(rows.length)],
  }))
}

function asBlind({ scene_name: scene, question_type: kind, category, options, ground_truth: truth }: StudyRow) {
  return { scene, kind, category, options, truth }
}
