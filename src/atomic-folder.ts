/**
 * Folders that are whole or not there: filled beside their place under a temporary name, flushed to disk, then renamed.
 * When filling fails, the temporary folder goes and what stood at the place before stays as it was.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { savingError } from './atomic-file.js'
import { VsgrpoError } from './errors.js'

const suffix = '.tmp'

export interface FolderOptions {
  /** What happens to a folder that is there already: `replace` removes it, `merge` overwrites equal names only. */
  readonly existing: 'replace' | 'merge'
}

/** Makes folder `dir` from what `fill` writes into the folder that it is given. */
export async function writeFolder(
  dir: string,
  fill: (temporary: string) => Promise<void>,
  options: FolderOptions,
): Promise<void> {
  const target = resolve(dir)
  const temporary = `${target}.${process.pid}${suffix}`
  try {
    rmSync(temporary, { recursive: true, force: true })
    mkdirSync(temporary, { recursive: true })
    await fill(temporary)
    for (const name of readdirSync(temporary, { encoding: 'utf8', recursive: true })) await flush(join(temporary, name))
    if (options.existing === 'merge' && existsSync(target)) moveInto(temporary, target)
    else swap(temporary, target)
    await flush(dirname(target))
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true })
    throw error instanceof VsgrpoError ? error : savingError(dir, error)
  }
}

/** Removes what killed processes left half-written beside the folders of `parent`. */
export function removeLeftovers(parent: string): void {
  if (!existsSync(parent)) return
  for (const name of readdirSync(parent)) {
    if (name.endsWith(suffix)) rmSync(join(parent, name), { recursive: true, force: true })
  }
}

function swap(temporary: string, target: string): void {
  const old = `${target}.${process.pid}.old${suffix}`
  const replaces = existsSync(target)
  if (replaces) renameSync(target, old)
  renameSync(temporary, target)
  if (replaces) rmSync(old, { recursive: true, force: true })
}

/** The weights go last: until then the folder describes the model that it holds. */
function moveInto(temporary: string, target: string): void {
  const names = readdirSync(temporary).sort((a, b) => Number(isWeights(a)) - Number(isWeights(b)))
  for (const name of names) renameSync(join(temporary, name), join(target, name))
  rmSync(temporary, { recursive: true })
}

function isWeights(name: string): boolean {
  return name.endsWith('.safetensors')
}

async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
