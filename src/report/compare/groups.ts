/** Runs of one configuration that differ in their seeds only are one group: one colour, one line of a table. */
import { groupBy } from '../../group-by.js'
import { isObject } from '../../json.js'
import type { Run } from '../read.js'
import type { ComparedRun } from './runs.js'

export interface Group {
  readonly name: string
  /** Its place among the groups, which is its colour. */
  readonly color: number
  readonly runs: readonly ComparedRun[]
  /** Every option by its path, as text. */
  readonly options: ReadonlyMap<string, string>
}

/** In the order of their first runs. */
export function groupSeeds(runs: readonly ComparedRun[]): Group[] {
  const keyOf = ({ run, name }: ComparedRun): string => {
    const options = optionsOf(run)
    // A run without a configuration is like no other.
    return options.size > 0 ? JSON.stringify([...options].sort()) : name
  }
  const found = [...groupBy(runs, keyOf).values()]
  const stems = found.map(stemOf)
  const taken = [...stems, ...runs.map(({ name }) => name)]
  return found.map((members, color) => {
    const stem = stems[color] ?? ''
    return {
      name: taken.filter((name) => name === stem).length > 1 || stem === '' ? namesOf(members) : sized(stem, members),
      color,
      runs: members,
      options: members[0] ? optionsOf(members[0].run) : new Map(),
    }
  })
}

export function seedOf({ config }: Run): string {
  const options = flatten(config)
  return options.get('args.seed') ?? options.get('seed') ?? '–'
}

/** What makes a configuration: all but the seeds and the place that the run was written to. */
function optionsOf({ config }: Run): Map<string, string> {
  const kept = [...flatten(config)].filter(([path]) => path !== 'args.outputDir' && !/(^|\.)seed$/.test(path))
  return new Map(kept)
}

/** Nested options as `args.beta`; lists stay whole. */
function flatten(value: Readonly<Record<string, unknown>>, prefix = ''): Map<string, string> {
  const found = new Map<string, string>()
  for (const [name, entry] of Object.entries(value)) {
    const path = `${prefix}${name}`
    if (isObject(entry)) {
      for (const [below, text] of flatten(entry, `${path}.`)) found.set(below, text)
    } else found.set(path, typeof entry === 'string' ? entry : JSON.stringify(entry))
  }
  return found
}

/** What the names of several runs begin with, without a trailing `seed`, `s` or mark; empty where that is nothing. */
function stemOf(runs: readonly ComparedRun[]): string {
  const names = runs.map(({ name }) => name)
  if (names.length === 1) return ''
  let common = names[0] ?? ''
  while (!names.every((name) => name.startsWith(common))) common = common.slice(0, -1)
  return common.replace(/[-_. ]*(seed|(?<=[-_. ])s)?[-_. ]*$/i, '')
}

function sized(stem: string, runs: readonly ComparedRun[]): string {
  const seeds = new Set(runs.map(({ run }) => seedOf(run)))
  return `${stem} (${runs.length} ${seeds.size === runs.length ? 'seeds' : 'runs'})`
}

function namesOf(runs: readonly ComparedRun[]): string {
  return runs.map(({ name }) => name).join(', ')
}
