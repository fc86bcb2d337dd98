/** How the Hub is asked, and what is said when it does not answer as expected. */
import { AbortedError, InputError, messageOf, VsgrpoError } from '../errors.js'
import { type Environment, type HubRepo, hubFolder, hubToken } from './hub-cache.js'

export interface HubFile extends HubRepo {
  /** Path in the repository. */
  readonly file: string
}

/** A file, or a repository as a whole. */
export type Named = HubRepo & Partial<HubFile>

export interface HubOptions {
  /** Where HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE, HF_HUB_CACHE, HF_HOME and XDG_CACHE_HOME are read; default process.env. */
  readonly env?: Environment
  readonly signal?: AbortSignal
  /** Bytes that are there, and bytes in all (0: not told). */
  readonly onProgress?: (done: number, total: number) => void
}

export async function ask(wanted: Named, url: string, init: RequestInit, options: HubOptions): Promise<Response> {
  const { env = process.env, signal } = options
  const headers = new Headers(init.headers)
  const token = hubToken(env)
  if (token) headers.set('authorization', `Bearer ${token}`)
  // Compressed bytes would not have the length that the Hub tells.
  headers.set('accept-encoding', 'identity')
  try {
    return await fetch(url, { ...init, headers, signal })
  } catch (error) {
    throw stopped(wanted, error, options)
  }
}

export function endpoint(env: Environment): string {
  return (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '')
}

export function isSet(value: string | undefined): boolean {
  return value !== undefined && ['1', 'true', 'yes', 'on'].includes(value.toLowerCase())
}

export function stopped(wanted: Named, error: unknown, { signal }: HubOptions): Error {
  if (signal?.aborted) return new AbortedError(undefined, error)
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  return failure(wanted, messageOf(cause), error)
}

export function failure(wanted: Named, reason: string, cause: unknown): VsgrpoError {
  return new VsgrpoError(`${nameOf(wanted)}: cannot be fetched: ${reason}`, {
    code: 'ERR_VSGRPO_DATA',
    hint: 'Try again (what is there is kept), or set HF_HUB_OFFLINE=1 to use what the cache holds.',
    cause,
  })
}

export function notCached(wanted: Named, env: Environment): InputError {
  return new InputError(
    `${nameOf(wanted)}: not in the cache ${hubFolder(wanted, env)}, and HF_HUB_OFFLINE is set; fetch it once without it`,
  )
}

export function strange(wanted: Named, env: Environment, what: string): VsgrpoError {
  return new VsgrpoError(`${nameOf(wanted)}: ${endpoint(env)} does not answer as a Hub does (${what})`, {
    code: 'ERR_VSGRPO_DATA',
    hint: 'Check HF_ENDPOINT.',
  })
}

export function refusal(wanted: Named, status: number): InputError {
  const cures: Readonly<Record<number, string>> = {
    401: 'the repository is private or gated, or has no such name: set HF_TOKEN to a token that may read it',
    403: 'the token may not read it: ask for access on its page',
    404: 'there is no such repository, revision or file',
  }
  return new InputError(`${nameOf(wanted)}: ${cures[status] ?? `the Hub answered ${status}`}`)
}

function nameOf({ kind, repo, revision, file }: Named): string {
  return `hf://${kind === 'dataset' ? 'datasets/' : ''}${repo}@${revision}${file === undefined ? '' : `/${file}`}`
}
