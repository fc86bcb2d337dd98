/**
 * Files of the Hugging Face Hub, kept in the cache that its Python library uses, so that what either has fetched both find:
 * blobs/<etag>, refs/<revision>, snapshots/<commit>/<file>. Interrupted downloads go on where they stopped.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { AbortedError, InputError, messageOf, VsgrpoError } from '../errors.js'

export interface HubFile {
  readonly kind: 'dataset' | 'model'
  /** `org/name`. */
  readonly repo: string
  /** A branch, a tag or a commit. */
  readonly revision: string
  /** Path in the repository. */
  readonly file: string
}

export interface HubOptions {
  /** Where HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, HF_HUB_CACHE, HF_HOME and XDG_CACHE_HOME are read. Default process.env. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal
  /** Bytes that are there, and bytes in all (0: not told). */
  readonly onProgress?: (done: number, total: number) => void
}

const form = 'hf://datasets/<org>/<name>[@revision]/<file>, or hf://<org>/<name>[@revision]/<file> for a model'

/** `hf://datasets/org/name@revision/file`, as Python's file system for the Hub writes it; undefined for other paths. */
export function parseHubPath(path: string): HubFile | undefined {
  if (!path.startsWith('hf://')) return undefined
  const found = /^hf:\/\/(datasets\/)?([\w.-]+\/[\w.-]+)(?:@([^/]+))?\/(.+)$/.exec(path)
  const [, dataset, repo, revision = 'main', file] = found ?? []
  const parts = `${revision}/${file ?? ''}`.split('/')
  const incomplete = repo === undefined || file === undefined || (!dataset && repo.startsWith('datasets/'))
  if (incomplete || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new InputError(`${path}: expected ${form}`)
  }
  return { kind: dataset ? 'dataset' : 'model', repo, revision, file }
}

/** The file's path in the cache; fetched when it is not there. Throws an InputError that says what is wrong with the name. */
export async function hubFile(wanted: HubFile, options: HubOptions = {}): Promise<string> {
  const { env = process.env } = options
  const folder = join(cacheDir(env), `${wanted.kind}s--${wanted.repo.replace('/', '--')}`)
  const cached = inCache(folder, wanted)
  const offline = isSet(env.HF_HUB_OFFLINE)
  // A commit never changes; a branch may have moved on.
  if (cached !== undefined && (offline || isCommit(wanted.revision))) return cached
  if (offline) {
    throw new InputError(
      `${nameOf(wanted)}: not in the cache ${folder}, and HF_HUB_OFFLINE is set; fetch it once without it`,
    )
  }
  const remote = await lookUp(wanted, options)
  const place = join(folder, 'snapshots', remote.commit, wanted.file)
  if (!existsSync(place)) {
    const blob = join(folder, 'blobs', remote.etag)
    if (!existsSync(blob)) await download(wanted, remote, blob, options)
    link(blob, place)
  }
  if (!isCommit(wanted.revision)) writeWhole(join(folder, 'refs', wanted.revision), remote.commit)
  return place
}

/** As huggingface_hub finds it. */
function cacheDir(env: Readonly<Record<string, string | undefined>>): string {
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')
  return env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, 'hub')
}

function inCache(folder: string, { revision, file }: HubFile): string | undefined {
  const ref = join(folder, 'refs', revision)
  const commit = isCommit(revision) ? revision : existsSync(ref) ? readFileSync(ref, 'utf8').trim() : undefined
  const place = commit === undefined ? undefined : join(folder, 'snapshots', commit, file)
  return place !== undefined && existsSync(place) ? place : undefined
}

interface Remote {
  readonly url: string
  readonly commit: string
  readonly etag: string
  /** Bytes; 0 where the server does not say. */
  readonly size: number
}

/** Asks for the file's commit and content without following the way to its storage, which knows neither. */
async function lookUp(wanted: HubFile, options: HubOptions): Promise<Remote> {
  const { env = process.env } = options
  const base = (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '')
  const path = wanted.file.split('/').map(encodeURIComponent).join('/')
  const repo = wanted.kind === 'dataset' ? `datasets/${wanted.repo}` : wanted.repo
  const url = `${base}/${repo}/resolve/${encodeURIComponent(wanted.revision)}/${path}`
  const { status, headers } = await ask(wanted, url, { method: 'HEAD', redirect: 'manual' }, options)
  if (status >= 400) throw refusal(wanted, status)
  const commit = headers.get('x-repo-commit')
  const etag = (headers.get('x-linked-etag') ?? headers.get('etag'))?.replace(/^W\//, '').replaceAll('"', '')
  if (!commit || !etag || !/^[\w.-]+$/.test(etag) || !isCommit(commit)) {
    throw new VsgrpoError(`${nameOf(wanted)}: ${base} does not answer as a Hub does (no commit or etag)`, {
      code: 'ERR_VSGRPO_DATA',
      hint: 'Check HF_ENDPOINT.',
    })
  }
  const size = headers.get('x-linked-size') ?? headers.get('content-length')
  return { url, commit, etag, size: Number(size ?? 0) }
}

/** Goes on with what is there of the blob; renames it when it has all its bytes. */
async function download(wanted: HubFile, remote: Remote, blob: string, options: HubOptions): Promise<void> {
  const partial = `${blob}.incomplete`
  mkdirSync(dirname(blob), { recursive: true })
  const there = existsSync(partial) ? statSync(partial).size : 0
  const resumes = there > 0 && there < remote.size
  const headers: Record<string, string> = resumes ? { range: `bytes=${there}-` } : {}
  const response = await ask(wanted, remote.url, { headers }, options)
  if (!response.ok || response.body === null) throw refusal(wanted, response.status)
  const goesOn = resumes && response.status === 206
  const output = await open(partial, goesOn ? 'a' : 'w')
  let done = goesOn ? there : 0
  try {
    for await (const chunk of Readable.from(response.body)) {
      done += chunk.length
      await output.appendFile(chunk)
      options.onProgress?.(done, remote.size)
    }
  } catch (error) {
    throw stopped(wanted, error, options)
  } finally {
    await output.close()
  }
  if (remote.size > 0 && done !== remote.size) {
    throw failure(wanted, `expected ${remote.size} bytes, got ${done}`, undefined)
  }
  renameSync(partial, blob)
}

async function ask(wanted: HubFile, url: string, init: RequestInit, options: HubOptions): Promise<Response> {
  const { env = process.env, signal } = options
  const headers = new Headers(init.headers)
  if (env.HF_TOKEN) headers.set('authorization', `Bearer ${env.HF_TOKEN}`)
  // Compressed bytes would not have the length that the Hub tells.
  headers.set('accept-encoding', 'identity')
  try {
    return await fetch(url, { ...init, headers, signal })
  } catch (error) {
    throw stopped(wanted, error, options)
  }
}

function stopped(wanted: HubFile, error: unknown, { signal }: HubOptions): Error {
  if (signal?.aborted) return new AbortedError(undefined, error)
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  return failure(wanted, messageOf(cause), error)
}

function failure(wanted: HubFile, reason: string, cause: unknown): VsgrpoError {
  return new VsgrpoError(`${nameOf(wanted)}: cannot be fetched: ${reason}`, {
    code: 'ERR_VSGRPO_DATA',
    hint: 'Try again (what is there is kept), or set HF_HUB_OFFLINE=1 to use what the cache holds.',
    cause,
  })
}

function refusal(wanted: HubFile, status: number): InputError {
  const cures: Readonly<Record<number, string>> = {
    401: 'the repository is private or gated, or has no such name: set HF_TOKEN to a token that may read it',
    403: 'the token may not read it: ask for access on its page',
    404: 'there is no such repository, revision or file',
  }
  return new InputError(`${nameOf(wanted)}: ${cures[status] ?? `the Hub answered ${status}`}`)
}

/** A relative link, so that the cache can be moved; a broken one is replaced. */
function link(blob: string, place: string): void {
  mkdirSync(dirname(place), { recursive: true })
  if (lstatSync(place, { throwIfNoEntry: false })) rmSync(place)
  symlinkSync(relative(dirname(place), blob), place)
}

function writeWhole(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}.tmp`
  writeFileSync(temporary, text)
  renameSync(temporary, file)
}

function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision)
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && ['1', 'true', 'yes', 'on'].includes(value.toLowerCase())
}

function nameOf({ kind, repo, revision, file }: HubFile): string {
  return `hf://${kind === 'dataset' ? 'datasets/' : ''}${repo}@${revision}/${file}`
}
