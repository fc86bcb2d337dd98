/**
 * The study: the paper's comparison on rooms, cell by cell, each in a process of its own. A finished cell is kept, one that
 * was interrupted goes on from its last checkpoint.
 *
 *   npm run study -- [--full] [--seeds 3] [--cells part,of,names] [--jobs 2] [--list] [--report] [--save] [--go-on]
 *                    [--output runs/study]
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { interruptible } from 'vsgrpo'
import { type Cell, fullGrid, needs, smallForm, tuningGrid } from './cells.js'
import { readFlags } from './flags.mjs'
import { makeBase } from './make-base.js'
import { writeReport } from './report.js'
import { type CellResult, keepResults, readResult, readResults, writeResult } from './result.js'
import { runCell } from './run-cell.js'
import { sideBySide } from './side-by-side.js'
import { type SizeName, sizes } from './sizes.js'
import { argsOf } from './training.js'
import { tuned } from './tuning.js'

interface Options {
  readonly root: string
  readonly cells: readonly Cell[]
  readonly size: SizeName
  readonly output: string
  readonly base: string
  /** Cells that run at the same time. */
  readonly jobs: number
  /** Whether the cells are the runs that settings are chosen from. */
  readonly tunes: boolean
}

/** Runs what the arguments ask for; the exit code. `program` is the file that was started. Throws on unknown options. */
export async function main(args: readonly string[], program: string): Promise<number> {
  const root = resolve(dirname(program), '../..')
  const [first, name = '', ...rest] = args
  if (first === 'make-base') return makeBase(args.slice(1), root)
  if (first === 'cell') return runOne(name, readOptions(rest, root).options)
  const { values, options } = readOptions(args, root)
  if (values.list) {
    for (const cell of options.cells) process.stdout.write(`${cell.name}\n`)
    return 0
  }
  if (values['go-on']) takeOver(readResults(keptIn(root)), options)
  const start = (cell: Cell) => inChild([program, 'cell', cell.name, ...args], join(options.output, cell.name))
  const code = values.report ? 0 : await runAll(options, start)
  if (code !== 0) return code
  const results = readResults(options.output)
  tell(results, options)
  if (values.save) keep(results, root)
  return 0
}

function readOptions(args: readonly string[], root: string) {
  const values = readFlags(args)
  const { seeds, jobs, base = join(root, 'examples/study/base') } = values
  const all = values.tune ? tuningGrid() : values.full ? fullGrid(seeds) : smallForm(seeds)
  const size: SizeName = values.smoke ? 'smoke' : 'full'
  const output = values.output ?? (values.smoke ? 'runs/study-smoke' : 'runs/study')
  const cells = chosen(all, values.cells)
  return { values, options: { root, size, output, base, jobs, tunes: values.tune, cells } }
}

/** The cells whose names contain one of the parts, and what they need. */
function chosen(all: readonly Cell[], parts: string | undefined): Cell[] {
  if (parts === undefined) return [...all]
  const wanted = parts.split(',').map((part) => part.trim())
  const stray = wanted.find((part) => !all.some(({ name }) => name.includes(part)))
  if (stray !== undefined) throw new TypeError(`--cells: no cell has '${stray}' in its name; --list shows all`)
  const picked = all.filter(({ name }) => wanted.some((part) => name.includes(part)))
  const names = new Set(picked.flatMap((cell) => [...needs(cell), cell]).map(({ name }) => name))
  return all.filter(({ name }) => names.has(name))
}

async function runAll(options: Options, start: (cell: Cell) => Promise<number>): Promise<number> {
  const { cells, size, output, jobs } = options
  const todo = cells.filter((cell) => !isFinished(cell, sizes[size], output))
  if (todo.length < cells.length) say(`${cells.length - todo.length} of ${cells.length} cells are finished already`)
  let started = 0
  return sideBySide(todo, jobs, async (cell) => {
    const label = `[${++started}/${todo.length}] ${cell.name}`
    say(`${label}: started`)
    const began = performance.now()
    const code = await start(cell)
    const after = `after ${((performance.now() - began) / 60_000).toFixed(1)} min`
    if (code === 0) say(`${label}: done ${after}`)
    else if (code === 130) say(`${label}: interrupted ${after}; the same command goes on`)
    else say(`${label}: failed ${after} (exit code ${code}); ${join(output, cell.name, logName)} says why`)
    return code
  })
}

/** Throws RangeError for a result of another size or other options: two studies must not mix. */
function isFinished(cell: Cell, size: (typeof sizes)[SizeName], output: string): boolean {
  const result = readResult(output, cell)
  if (!result) return false
  const args = argsOf({ cell, size, steps: result.steps })
  const same = JSON.stringify([result.size, result.args]) === JSON.stringify([size, args])
  if (same) return true
  throw new RangeError(`${join(output, cell.name)} was run with other settings; remove it or give another --output`)
}

const logName = 'output.log'

/**
 * Runs the program once more; what it prints goes to a file in `folder`. It has one thread, so that results do not depend on
 * how many cores a machine has, and cells run side by side.
 */
function inChild(args: readonly string[], folder: string): Promise<number> {
  mkdirSync(folder, { recursive: true })
  const log = openSync(join(folder, logName), 'a')
  const env = { ...process.env, OMP_NUM_THREADS: '1' }
  const child = spawn(process.execPath, args, { stdio: ['ignore', log, log], env })
  closeSync(log)
  // Ctrl-C reaches the child too: it saves a checkpoint and says so by its exit code.
  const wait = () => undefined
  process.on('SIGINT', wait)
  return new Promise((done, failed) => {
    child.on('error', failed)
    child.on('close', (code) => {
      process.off('SIGINT', wait)
      done(code ?? 1)
    })
  })
}

function runOne(name: string, { cells, size, output, base, root }: Options): Promise<number> {
  const cell = cells.find((candidate) => candidate.name === name)
  if (!cell) throw new RangeError(`there is no cell ${name}`)
  return interruptible((signal) => runCell({ cell, size: sizes[size], baseDir: base, output, root }, signal))
}

/** Says what was found: where the report is, or the scores that settings are chosen from. */
function tell(results: readonly CellResult[], { output, tunes }: Options): void {
  if (!tunes) say(`\n${writeReport(output, results).join('\n')}`)
  for (const { method, learningRate, average } of tunes ? tuned(results) : []) {
    process.stdout.write(`${method} ${learningRate} ${average.toFixed(1)}\n`)
  }
}

/** Takes results that the repository keeps for cells that have none of their own, so that only what is missing runs. */
function takeOver(kept: readonly CellResult[], { cells, output }: Options): void {
  const names = new Set(cells.filter((cell) => !readResult(output, cell)).map(({ name }) => name))
  for (const result of kept) if (names.has(result.cell.name)) writeResult(output, result)
}

function keptIn(root: string): string {
  return join(root, 'examples/study/results')
}

/** Adds results to those that the repository keeps, and writes their report. */
function keep(results: readonly CellResult[], root: string): void {
  const dir = keptIn(root)
  const kept = keepResults(results, dir)
  const files = kept.every(({ cell }) => cell.learningRate !== undefined) ? [] : writeReport(dir, kept)
  say([join(dir, 'cells.jsonl'), ...files].join('\n'))
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
