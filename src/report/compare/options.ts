/** The options in which configurations differ, and no others. Pure. */
import type { Group } from './groups.js'
import type { Table } from './table.js'

/** One row per option, one column per configuration; undefined where nothing differs. */
export function optionTable(groups: readonly Group[]): Table | undefined {
  const paths = [...new Set(groups.flatMap(({ options }) => [...options.keys()]))].filter((path) =>
    differs(path, groups),
  )
  if (paths.length === 0) return undefined
  return {
    columns: ['option', ...groups.map(({ name }) => name)],
    rows: paths.map((path) => ({ name: path, cells: groups.map(({ options }) => options.get(path) ?? '–') })),
    align: 'text',
    note: '–: not set, or not an option of that trainer. Options that a trainer has alone are left out where all its runs agree.',
  }
}

/** Among those that have it, or within one trainer between having it and not. */
function differs(path: string, groups: readonly Group[]): boolean {
  const having = groups.filter(({ options }) => options.has(path))
  if (new Set(having.map(({ options }) => options.get(path))).size > 1) return true
  const trainers = new Set(having.map(trainerOf))
  return groups.some((group) => !having.includes(group) && trainers.has(trainerOf(group)))
}

export function trainerOf({ options }: Group): string {
  return options.get('algorithm') ?? '–'
}
