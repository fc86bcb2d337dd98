/**
 * Folders that are whole or not there: filled beside their place under a temporary name, flushed to disk, then renamed.
 * When filling fails, the temporary folder goes and what stood at the place before stays as it was.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { savingError } from './atomic-file.js'
import { VsgrpoError } from './errors.js'

const suffix = '.tmp'

export interface FolderOptions {
  /** What happens to a folder that is there already: `replace` removes it, `merge` overwrites equal names only. */
  readonly existing: 'replace' | 'merge'
  /** With `merge`: files that would belie the new ones. They go just before the weights come. */
  readonly obsolete?: readonly string[]
}

/** By path: folders that are being written, so that a second one waits for the first. */
const underWay = new Map<string, Promise<void>>()

/** Makes folder `dir` from what `fill` writes into the folder that it is given. */
export async function writeFolder(
  dir: string,
  fill: (temporary: string) => Promise<void>,
  options: FolderOptions,
): Promise<void> {
  const target = resolve(dir)
  const before = underWay.get(target) ?? Promise.resolve()
  const writing = before.catch(() => {}).then(() => write(target, fill, options))
  underWay.set(target, writing)
  try {
    await writing
  } catch (error) {
    throw error instanceof VsgrpoError ? error : savingError(dir, error)
  } finally {
    if (underWay.get(target) === writing) underWay.delete(target)
  }
}

async function write(target: string, fill: (temporary: string) => Promise<void>, options: FolderOptions) {
  const temporary = `${target}.${randomUUID().slice(0, 8)}${suffix}`
  try {
    mkdirSync(temporary, { recursive: true })
    await fill(temporary)
    for (const name of readdirSync(temporary, { encoding: 'utf8', recursive: true })) await flush(join(temporary, name))
    if (options.existing === 'merge' && existsSync(target)) moveInto(temporary, target, options.obsolete)
    else swap(temporary, target)
    await flush(dirname(target))
  } catch (error) {
    removeQuietly(temporary)
    throw error
  }
}

/** The error that led here is the one to report. */
function removeQuietly(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch {}
}

/** Removes what killed processes left half-written beside the folders of `parent`, which no other process may be writing. */
export function removeLeftovers(parent: string): void {
  if (!existsSync(parent)) return
  for (const name of readdirSync(parent)) {
    if (name.endsWith(suffix)) rmSync(join(parent, name), { recursive: true, force: true })
  }
}

function swap(temporary: string, target: string): void {
  const old = `${temporary}.old${suffix}`
  const replaces = existsSync(target)
  if (replaces) renameSync(target, old)
  renameSync(temporary, target)
  if (replaces) rmSync(old, { recursive: true, force: true })
}

/** The weights go last: until then the folder describes the model that it holds. */
function moveInto(temporary: string, target: string, obsolete: readonly string[] = []): void {
  const names = readdirSync(temporary)
  const move = (name: string): void => renameSync(join(temporary, name), join(target, name))
  names.filter((name) => !isWeights(name)).forEach(move)
  for (const name of obsolete) rmSync(join(target, name), { force: true })
  names.filter(isWeights).forEach(move)
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

/** Moves what an earlier run left in `dir` into the first free `earlier-N` there, and gives that folder. */
export function moveToEarlier(dir: string, names: readonly string[]): string {
  let n = 1
  while (existsSync(join(dir, `earlier-${n}`))) n++
  const folder = join(dir, `earlier-${n}`)
  mkdirSync(folder)
  for (const name of names) renameSync(join(dir, name), join(folder, name))
  return folder
}
