/**
 * The build stamp: what the addon was built from. It lies beside vsgrpo.node; an equal stamp means that there is nothing
 * to do, and it says which libtorch folder the addon will load.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { Libtorch } from './libtorch.js'

export interface Stamp {
  /** Hash of the sources, the build file, libtorch, the options and, when built for it, the processor. */
  readonly hash: string
  readonly libtorch: { readonly dir: string; readonly version: string }
}

/** The stamp that a build of these sources against this libtorch on this machine has. */
export function expectedStamp(root: string, libtorch: Libtorch, flags: readonly string[]): Stamp {
  const hash = createHash('sha256')
  for (const file of [join(root, 'CMakeLists.txt'), ...sources(join(root, 'native'))]) {
    hash.update(relative(root, file)).update('\0').update(readFileSync(file)).update('\0')
  }
  hash.update([libtorch.dir, libtorch.version, process.arch, ...flags, processor()].join('\0'))
  return { hash: hash.digest('hex'), libtorch: { dir: libtorch.dir, version: libtorch.version } }
}

/** The stamp of a built addon; undefined when there is none or it cannot be read. */
export function readStamp(addon: string): Stamp | undefined {
  const file = stampFile(addon)
  if (!existsSync(addon) || !existsSync(file)) return undefined
  try {
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return isStamp(content) ? content : undefined
  } catch {
    return undefined
  }
}

export function stampFile(addon: string): string {
  return join(dirname(addon), 'vsgrpo.json')
}

function isStamp(value: unknown): value is Stamp {
  if (typeof value !== 'object' || value === null || !('hash' in value) || !('libtorch' in value)) return false
  const { hash, libtorch } = value
  if (typeof hash !== 'string' || typeof libtorch !== 'object' || libtorch === null) return false
  return (
    'dir' in libtorch &&
    typeof libtorch.dir === 'string' &&
    'version' in libtorch &&
    typeof libtorch.version === 'string'
  )
}

function sources(dir: string): string[] {
  const entries = readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  return entries.flatMap((entry) => {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) return sources(path)
    return /(\.(cpp|h|cu|cuh)|CMakeLists\.txt)$/.test(entry.name) ? [path] : []
  })
}

/** The instruction sets of this machine: code compiled for it must not be taken to another. */
function processor(): string {
  try {
    return /^flags\s*:.*$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[0] ?? ''
  } catch {
    return ''
  }
}
