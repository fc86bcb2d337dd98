/** The runs that a comparison is about: read, named apart, and the folders that hold none, each with the reason. */
import { existsSync, statSync } from 'node:fs'
import { basename, relative, resolve, sep } from 'node:path'
import { InputError, messageOf } from '../../errors.js'
import { type Run, readRun } from '../read.js'

export interface ComparedRun {
  /** The end of its path, as short as tells it from the others. */
  readonly name: string
  readonly run: Run
}

export interface LeftOut {
  readonly dir: string
  readonly reason: string
}

export interface FoundRuns {
  readonly runs: readonly ComparedRun[]
  readonly leftOut: readonly LeftOut[]
}

/** Names of comparisons, which lie where `runs/*` finds them. */
const ownFiles = ['comparison.html', 'comparison.md']

/** Throws an `InputError` that names every folder when none holds a run. */
export function readRuns(dirs: readonly string[]): FoundRuns {
  const leftOut: LeftOut[] = []
  const read: Run[] = []
  const unique = [...new Map(dirs.map((dir) => [resolve(dir), dir]))]
  for (const [path, dir] of unique) {
    if (ownFiles.includes(basename(path)) && isFile(path)) continue
    const found = readOne(dir)
    if (typeof found === 'string') leftOut.push({ dir, reason: found })
    else read.push(found)
  }
  if (read.length === 0) {
    const reasons = leftOut.map(({ dir, reason }) => `${dir}: ${reason}`).join('; ')
    throw new InputError(`no run to compare: ${reasons || dirs.join(', ')}`, {
      hint: 'Give the run folders (the outputDirs) of trainings, e.g. runs/*.',
    })
  }
  const names = namesApart(read.map(({ dir }) => dir))
  return { runs: read.map((run, i) => ({ name: names[i] ?? run.name, run })), leftOut }
}

/** The run, or why there is none. */
function readOne(dir: string): Run | string {
  try {
    const run = readRun(dir)
    if (run.steps.length > 0 || run.evals.length > 0 || run.summary) return run
    return [...run.problems, 'no step has been recorded yet'].join('; ')
  } catch (error) {
    const message = messageOf(error)
    return message.startsWith(`${dir}: `) ? message.slice(dir.length + 2) : message
  }
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile()
}

/** `a/x`, `b/x`, `b/y` are told apart as `a/x`, `b/x`, `b/y`; `runs/a`, `runs/b` as `a`, `b`. */
function namesApart(paths: readonly string[]): string[] {
  const parts = paths.map((path) => path.split(sep))
  const depth = Math.max(...parts.map((part) => part.length))
  for (let length = 1; length <= depth; length++) {
    const names = parts.map((part) => part.slice(-length).join('/'))
    if (new Set(names).size === names.length) return names
  }
  return paths.map((path) => relative('', path))
}
