/** What a finished cell leaves: `result.json` in its folder, one line of JSON that the report needs nothing beside. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeAtomically } from '../../src/atomic-file.js'
import type { Cell } from './cells.js'
import type { Mode } from './modes.js'
import type { Size } from './sizes.js'

export interface Evaluation {
  readonly mode: Mode
  readonly show: 'frames' | 'grey'
  /** One character for each question, in tenths of a point: '0' to '9', and 'X' for all ten. */
  readonly points: string
  /** Part of the answers in the form that the mode asks for. */
  readonly format: number
  /** Mean characters of a completion. */
  readonly length: number
}

/** A thinned curve against the step. */
export interface Curve {
  readonly x: readonly number[]
  readonly y: readonly number[]
}

export interface CellResult {
  readonly cell: Cell
  readonly size: Size
  /** Options of the trainer. */
  readonly args: Readonly<Record<string, unknown>>
  readonly steps: number
  /** Questions seen, repeats included. */
  readonly questions: number
  /** Floating-point operations of the training, counted. */
  readonly operations: number
  readonly seconds: { readonly train: number; readonly evaluate: number }
  readonly machine: string
  readonly commit: string
  /** ISO 8601. */
  readonly finishedAt: string
  readonly evaluations: readonly Evaluation[]
  readonly curves: Readonly<Record<string, Curve>>
  readonly samples: readonly { readonly question: string; readonly answer: string; readonly completion: string }[]
}

const file = 'result.json'

export function writePoints(points: readonly number[]): string {
  return points.map((value) => (value >= 1 ? 'X' : String(Math.round(10 * value)))).join('')
}

export function readPoints(points: string): Float64Array {
  return Float64Array.from(points, (tenths) => (tenths === 'X' ? 1 : Number(tenths) / 10))
}

/** The result of a cell, or undefined while it has none. */
export function readResult(dir: string, { name }: Cell): CellResult | undefined {
  const path = join(dir, name, file)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}

export function writeResult(dir: string, result: CellResult): void {
  const path = join(dir, result.cell.name, file)
  mkdirSync(dirname(path), { recursive: true })
  writeAtomically(path, `${JSON.stringify(result)}\n`)
}

/** All results below a folder: of its cells' folders, or the lines of its `cells.jsonl`. */
export function readResults(dir: string): CellResult[] {
  const kept = join(dir, 'cells.jsonl')
  if (existsSync(kept)) return readLines(kept)
  const names = existsSync(dir) ? readdirSync(dir).sort() : []
  return names
    .map((name) => join(dir, name, file))
    .filter((path) => existsSync(path))
    .flatMap(readLines)
}

/** Adds results to those in a folder's `cells.jsonl`; a cell that was run again replaces what was kept of it. Gives all. */
export function keepResults(fresh: readonly CellResult[], dir: string): CellResult[] {
  const byName = new Map([...readResults(dir), ...fresh].map((result) => [result.cell.name, result]))
  const all = [...byName.values()].sort((a, b) => (a.cell.name < b.cell.name ? -1 : 1))
  mkdirSync(dir, { recursive: true })
  writeAtomically(join(dir, 'cells.jsonl'), all.map((result) => `${JSON.stringify(result)}\n`).join(''))
  return all
}

function readLines(path: string): CellResult[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line): CellResult => JSON.parse(line))
}
