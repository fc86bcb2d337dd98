/**
 * Files of the Hugging Face Hub, fetched into its cache. Interrupted downloads go on where they stopped, and HF_HUB_OFFLINE
 * is honoured; the downloads of the npm package @huggingface/hub (2.17) do neither.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { writeAtomically } from '../atomic-file.js'
import { InputError } from '../errors.js'
import { isObject } from '../json.js'
import { cachedSnapshot, type Environment, type HubRepo, hubFolder, isCommit } from './hub-cache.js'
import {
  ask,
  endpoint,
  failure,
  type HubFile,
  type HubOptions,
  isSet,
  type Named,
  notCached,
  refusal,
  stopped,
  strange,
} from './hub-request.js'

export type { HubFile, HubOptions } from './hub-request.js'

const form = 'hf://datasets/<org>/<name>[@revision][/<file>], or hf://<org>/<name>[@revision]/<file> for a model'

/**
 * `hf://datasets/org/name@revision/file`, as Python's file system for the Hub writes it; a data set's file may be left out.
 * Undefined for other paths.
 */
export function parseHubPath(path: string): Named | undefined {
  if (!path.startsWith('hf://')) return undefined
  const found = /^hf:\/\/(datasets\/)?([\w.-]+\/[\w.-]+)(?:@([^/]+))?(?:\/(.+))?$/.exec(path)
  const [, dataset, repo, revision = 'main', file] = found ?? []
  const parts = `${revision}/${file ?? 'all'}`.split('/')
  const incomplete = repo === undefined || (!dataset && (file === undefined || repo.startsWith('datasets/')))
  if (incomplete || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new InputError(`${path}: expected ${form}`)
  }
  return { kind: dataset ? 'dataset' : 'model', repo, revision, ...(file === undefined ? {} : { file }) }
}

/** The file's path in the cache; fetched when it is not there. Throws an InputError that says what is wrong with the name. */
export async function hubFile(wanted: HubFile, options: HubOptions = {}): Promise<string> {
  const { env = process.env } = options
  const folder = hubFolder(wanted, env)
  const cached = inCache(wanted, env)
  const offline = isSet(env.HF_HUB_OFFLINE)
  // A commit never changes; a branch may have moved on.
  if (cached !== undefined && (offline || isCommit(wanted.revision))) return cached
  if (offline) throw notCached(wanted, env)
  const remote = await lookUp(wanted, options)
  const place = join(folder, 'snapshots', remote.commit, wanted.file)
  if (!existsSync(place)) {
    const blob = join(folder, 'blobs', remote.etag)
    if (!existsSync(blob)) await download(wanted, remote, blob, options)
    link(blob, place)
  }
  if (!isCommit(wanted.revision)) writeAtomically(join(folder, 'refs', wanted.revision), remote.commit)
  return place
}

/** Paths of a repository's files. Offline, those that are in the cache. */
export async function hubFiles(repo: HubRepo, options: HubOptions = {}): Promise<readonly string[]> {
  const { env = process.env } = options
  if (isSet(env.HF_HUB_OFFLINE)) return filesInCache(repo, env)
  const url = `${endpoint(env)}/api/${repo.kind}s/${repo.repo}/revision/${encodeURIComponent(repo.revision)}`
  const response = await ask(repo, url, {}, options)
  if (!response.ok) throw refusal(repo, response.status)
  const body: unknown = await response.json().catch(() => undefined)
  const files = isObject(body) ? body.siblings : undefined
  if (!Array.isArray(files)) throw strange(repo, env, 'no list of files')
  return files.map((file: { rfilename?: unknown }) => String(file.rfilename))
}

function filesInCache(repo: HubRepo, env: Environment): readonly string[] {
  const snapshot = cachedSnapshot(repo, env)
  if (snapshot === undefined) throw notCached(repo, env)
  const files = readdirSync(snapshot, { recursive: true, encoding: 'utf8' })
  return files.filter((file) => !statSync(join(snapshot, file)).isDirectory())
}

function inCache(wanted: HubFile, env: Environment): string | undefined {
  const snapshot = cachedSnapshot(wanted, env)
  const place = snapshot && join(snapshot, wanted.file)
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
  const path = wanted.file.split('/').map(encodeURIComponent).join('/')
  const repo = wanted.kind === 'dataset' ? `datasets/${wanted.repo}` : wanted.repo
  const url = `${endpoint(env)}/${repo}/resolve/${encodeURIComponent(wanted.revision)}/${path}`
  const { status, headers } = await ask(wanted, url, { method: 'HEAD', redirect: 'manual' }, options)
  if (status >= 400) throw refusal(wanted, status)
  const commit = headers.get('x-repo-commit')
  const etag = (headers.get('x-linked-etag') ?? headers.get('etag'))?.replace(/^W\//, '').replaceAll('"', '')
  if (!commit || !etag || !/^[\w.-]+$/.test(etag) || !isCommit(commit)) {
    throw strange(wanted, env, 'no commit or etag')
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

/** A relative link, so that the cache can be moved; a broken one is replaced. */
function link(blob: string, place: string): void {
  mkdirSync(dirname(place), { recursive: true })
  if (lstatSync(place, { throwIfNoEntry: false })) rmSync(place)
  symlinkSync(relative(dirname(place), blob), place)
}
