/** What a comparison says, whatever it is written as: title, problems, tables, groups and shared prompts. */
import { basename, dirname } from 'node:path'
import { type SharedPrompt, sharedPrompts } from './answers.js'
import { type Group, groupSeeds } from './groups.js'
import { metricNote, metricTable } from './metrics.js'
import { optionTable, trainerOf } from './options.js'
import { runTable, summaryTable } from './results.js'
import { readRuns } from './runs.js'
import type { Table } from './table.js'

export interface Comparison {
  readonly title: string
  readonly lede: string
  /** The folder that the runs lie in. */
  readonly dir: string
  /** Folders left out and files that could not be read, each with its name and reason. */
  readonly problems: readonly string[]
  readonly groups: readonly Group[]
  /** In reading order; undefined where there is nothing to say. */
  readonly tables: readonly { readonly heading: string; readonly table: Table | undefined }[]
  readonly prompts: readonly SharedPrompt[]
}

/** Throws an `InputError` when none of the folders holds a run. */
export function compare(dirs: readonly string[], limits: { readonly samples: number }): Comparison {
  const { runs, leftOut } = readRuns(dirs)
  const groups = groupSeeds(runs)
  const dir = commonFolder(runs.map(({ run }) => run.dir))
  return {
    title: basename(dir) || dir,
    lede: `${count(runs.length, 'run')} of ${count(groups.length, 'configuration')}`,
    dir,
    problems: [
      ...leftOut.map(({ dir: left, reason }) => `${left} is left out: ${reason}`),
      ...runs.flatMap(({ name, run }) => run.problems.map((problem) => `${name}: ${problem}`)),
    ],
    groups,
    tables: [
      { heading: 'Results on questions never trained on', table: summaryTable(groups) },
      ...metricTables(groups),
      { heading: 'The runs', table: runTable(groups) },
      { heading: 'Options that differ', table: groups.length > 1 ? optionTable(groups) : undefined },
    ],
    prompts: sharedPrompts(groups, limits.samples),
  }
}

/** One for each trainer: what they measure differs. */
function metricTables(groups: readonly Group[]): Comparison['tables'] {
  const trainers = [...new Set(groups.map(trainerOf))]
  return trainers.map((trainer, i) => {
    const table = metricTable(groups.filter((group) => trainerOf(group) === trainer))
    const note = i === trainers.length - 1 ? metricNote : undefined
    return {
      heading: trainers.length > 1 ? `Final and best, ${trainer}` : 'Final and best',
      table: table && { ...table, note },
    }
  })
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}

/** The deepest folder above all of them. */
function commonFolder(dirs: readonly string[]): string {
  let common = dirname(dirs[0] ?? '.')
  while (
    dirname(common) !== common &&
    !dirs.every((dir) => dir.startsWith(`${common}/`) || dir.startsWith(`${common}\\`))
  ) {
    common = dirname(common)
  }
  return common
}
