/**
 * The cache of Hugging Face's Python library, so that what either has fetched both find: in a folder for each repository
 * blobs/<etag>, refs/<revision> with a commit in it, and snapshots/<commit>/<file>, links to blobs.
 */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export type Environment = Readonly<Record<string, string | undefined>>

export interface HubRepo {
  readonly kind: 'dataset' | 'model'
  /** `org/name`. */
  readonly repo: string
  /** A branch, a tag or a commit. */
  readonly revision: string
}

/** The repository's folder in the cache, be it there or not. */
export function hubFolder({ kind, repo }: Omit<HubRepo, 'revision'>, env: Environment = process.env): string {
  const cache = env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(hubHome(env), 'hub')
  return join(cache, `${kind}s--${repo.replace('/', '--')}`)
}

/** HF_TOKEN, or the token that `hf auth login` left. */
export function hubToken(env: Environment): string | undefined {
  const file = env.HF_TOKEN_PATH || join(hubHome(env), 'token')
  return env.HF_TOKEN || (existsSync(file) ? readFileSync(file, 'utf8').trim() : '') || undefined
}

function hubHome(env: Environment): string {
  return env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')
}

/** The folder of a revision's files, as many of them as were fetched; undefined where none was. */
export function cachedSnapshot(wanted: HubRepo, env: Environment = process.env): string | undefined {
  const folder = hubFolder(wanted, env)
  const ref = join(folder, 'refs', wanted.revision)
  const named = existsSync(ref) ? readFileSync(ref, 'utf8').trim() : undefined
  const commit = isCommit(wanted.revision) ? wanted.revision : named
  const snapshot = commit && join(folder, 'snapshots', commit)
  return snapshot && existsSync(snapshot) ? snapshot : undefined
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision)
}
