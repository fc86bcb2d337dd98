/** Where things lie: the package's own folder, the cache, and the folder that the addon is built in. */
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { VsgrpoError } from '../errors.js'

/** The folder of vsgrpo's own package.json, from source, from dist and inside node_modules alike. */
export function packageRoot(from: string = dirname(fileURLToPath(import.meta.url))): string {
  for (let dir = from; ; dir = dirname(dir)) {
    if (packageName(join(dir, 'package.json')) === 'vsgrpo') return dir
    if (dir === dirname(dir)) break
  }
  throw new VsgrpoError(`no package.json of vsgrpo above ${from}`, {
    code: 'ERR_VSGRPO_SETUP',
    hint: 'Leave vsgrpo in its package folder: do not bundle it (mark it external).',
  })
}

function packageName(file: string): unknown {
  if (!existsSync(file)) return undefined
  const content: unknown = JSON.parse(readFileSync(file, 'utf8'))
  return typeof content === 'object' && content !== null && 'name' in content ? content.name : undefined
}

/** `$XDG_CACHE_HOME/vsgrpo`, by default `~/.cache/vsgrpo`. */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'vsgrpo')
}

/** Folders that may hold the build, in the order in which they are looked at: the package's own, then the cache. */
export function buildDirs(root: string, env: NodeJS.ProcessEnv = process.env): readonly [string, string] {
  const id = createHash('sha256').update(root).digest('hex').slice(0, 12)
  return [join(root, 'build'), join(cacheDir(env), `build-${id}`)]
}

/** The folder to build in: the package's own unless it cannot be written to. */
export function writableBuildDir(root: string, env: NodeJS.ProcessEnv = process.env): string {
  const [own, cached] = buildDirs(root, env)
  return isWritable(existsSync(own) ? own : root) ? own : cached
}

function isWritable(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK)
    return true
  } catch {
    return false
  }
}
