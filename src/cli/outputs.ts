/** Where a command writes, checked before it works: a file's place, and none of the files that the command reads. */
import { type BigIntStats, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { InputError } from '../errors.js'

/**
 * Throws an InputError for an output that is a folder, one of the inputs under whatever name (a link counts), or another
 * output. `outputs` go by their option's name; those that are not given, or stdout (`-`), are left out.
 */
export function checkOutputs(
  outputs: Readonly<Record<string, string | undefined>>,
  inputs: readonly (string | undefined)[],
): void {
  const read = new Map(inputs.filter((path) => path !== undefined).map((path) => [identityOf(path), path]))
  const written = new Map<string, string>()
  for (const [flag, path] of Object.entries(outputs)) {
    if (path === undefined || path === '-') continue
    if (found(path)?.isDirectory())
      throw new InputError(`${flag} ${path}: that is a folder; name a file, e.g. ${join(path, 'out.jsonl')}`)
    const identity = identityOf(path)
    const input = read.get(identity)
    if (input !== undefined)
      throw new InputError(
        `${flag} ${path}: ${input === path ? 'that is the input' : `that is the input ${input}`}, which would be lost; name another file`,
      )
    const other = written.get(identity)
    if (other !== undefined) throw new InputError(`${flag} ${path}: ${other} goes there already; name another file`)
    written.set(identity, flag)
  }
}

/** The same for every name of one file, also where it is yet to be made. */
function identityOf(path: string): string {
  const file = found(path)
  if (file) return `${file.dev}:${file.ino}`
  const parent = dirname(resolve(path))
  return parent === resolve(path) ? parent : `${identityOf(parent)}/${basename(path)}`
}

/** Nothing also where the path leads through a file, or a folder that may not be looked into: writing will tell. */
function found(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true })
  } catch {
    return undefined
  }
}
