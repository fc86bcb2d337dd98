/**
 * The study: the paper's comparison on rooms, cell by cell, each in a process of its own. A finished cell is kept, one that
 * was interrupted goes on from its last checkpoint.
 *
 *   npm run study -- [--full] [--seeds 3] [--cells part,of,names] [--list] [--report] [--save] [--output runs/study]
 */
import { spawn } from 'node:child_process'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { interruptible } from 'vsgrpo'
import { type Cell, fullGrid, needs, smallForm, tuningGrid } from './cells.js'
import { makeBase } from './make-base.js'
import { writeReport } from './report.js'
import { type CellResult, keepResults, readResult, readResults } from './result.js'
import { runCell } from './run-cell.js'
import { type SizeName, sizes } from './sizes.js'
import { argsOf } from './training.js'
import { tuned } from './tuning.js'

interface Options {
  readonly root: string
  readonly cells: readonly Cell[]
  readonly size: SizeName
  readonly output: string
  readonly base: string
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
  const start = (cell: Cell) => inChild([program, 'cell', cell.name, ...args])
  const code = values.report ? 0 : await runAll(options, start)
  if (code !== 0) return code
  const results = readResults(options.output)
  tell(results, options)
  if (values.save) keep(results, root)
  return 0
}

function readOptions(args: readonly string[], root: string) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      full: { type: 'boolean', default: false },
      tune: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      report: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      seeds: { type: 'string', default: '3' },
      cells: { type: 'string' },
      output: { type: 'string' },
      base: { type: 'string', default: join(root, 'examples/study/base') },
    },
  })
  const seeds = Number(values.seeds)
  if (!Number.isInteger(seeds) || seeds < 1 || seeds > 10) {
    throw new TypeError(`--seeds: expected a whole number from 1 to 10, got '${values.seeds}'`)
  }
  const all = values.tune ? tuningGrid() : values.full ? fullGrid(seeds) : smallForm(seeds)
  const size: SizeName = values.smoke ? 'smoke' : 'full'
  const output = values.output ?? (values.smoke ? 'runs/study-smoke' : 'runs/study')
  const cells = chosen(all, values.cells)
  return { values, options: { root, size, output, base: values.base, tunes: values.tune, cells } }
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

async function runAll({ cells, size, output }: Options, start: (cell: Cell) => Promise<number>): Promise<number> {
  const todo = cells.filter((cell) => !isFinished(cell, sizes[size], output))
  if (todo.length < cells.length) say(`${cells.length - todo.length} of ${cells.length} cells are finished already`)
  for (const [i, cell] of todo.entries()) {
    say(`\n[${i + 1}/${todo.length}] ${cell.name}`)
    const code = await start(cell)
    if (code !== 0) {
      say(code === 130 ? 'interrupted; the same command goes on' : `${cell.name} failed (exit code ${code})`)
      return code
    }
  }
  return 0
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

function inChild(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, args, { stdio: 'inherit' })
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

/** Adds results to those that the repository keeps, and writes their report. */
function keep(results: readonly CellResult[], root: string): void {
  const dir = join(root, 'examples/study/results')
  const kept = keepResults(results, dir)
  const files = kept.every(({ cell }) => cell.learningRate !== undefined) ? [] : writeReport(dir, kept)
  say([join(dir, 'cells.jsonl'), ...files].join('\n'))
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
