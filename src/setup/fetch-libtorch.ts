/**
 * Fetches libtorch and unpacks what is linked of it. Everything happens in a temporary folder of the cache that is renamed
 * at the end, so an interrupted set-up leaves nothing that looks whole.
 */
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
} from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { messageOf, VsgrpoError } from '../errors.js'
import { LIBTORCH_VERSION, type Libtorch, libtorchVersion, python, unpackedDir } from './libtorch.js'
import { cacheDir } from './paths.js'
import { run, tail } from './run.js'
import { NVIDIA_MEMBERS, nvidiaRequirements, TORCH_MEMBERS, UNPACK_SCRIPT } from './wheel.js'

const CPU_INDEX = 'https://download.pytorch.org/whl/cpu'
const ZIP = `https://download.pytorch.org/libtorch/cpu/libtorch-shared-with-deps-${LIBTORCH_VERSION}%2Bcpu.zip`
/** Wheel and unpacked libraries together; the CUDA wheel is the larger of the two. */
const NEEDED_BYTES = 1.3e9

export interface FetchOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly log?: (line: string) => void
  readonly version?: string
}

/** Fetches libtorch by pip, or as the official zip where Python has no pip. Throws with the cause and the cure. */
export async function fetchLibtorch(options: FetchOptions = {}): Promise<Libtorch> {
  const { env = process.env, log = () => {}, version = LIBTORCH_VERSION } = options
  const cache = makeCache(env)
  const temporary = mkdtempSync(join(cache, 'fetch-'))
  try {
    const archive = (await hasPip(env))
      ? await pipDownload(temporary, version, env, log)
      : await zipDownload(temporary, log)
    const unpacked = join(temporary, 'libtorch')
    const metadata = await unpack(archive, unpacked, TORCH_MEMBERS, env)
    for (const requirement of nvidiaRequirements(metadata)) await addNvidia(requirement, temporary, unpacked, env, log)
    if (libtorchVersion(unpacked) !== version) {
      throw failure(`${archive} does not hold libtorch ${version}`, 'Set VSGRPO_LIBTORCH to a libtorch that you have.')
    }
    return { dir: moveIntoPlace(unpacked, unpackedDir(env, version), version), version, source: 'cache' }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

function makeCache(env: NodeJS.ProcessEnv): string {
  const cache = cacheDir(env)
  try {
    mkdirSync(cache, { recursive: true })
    const { bavail, bsize } = statfsSync(cache)
    if (bavail * bsize < NEEDED_BYTES) throw new Error(`only ${(bavail * bsize * 1e-9).toFixed(1)} GB are free`)
  } catch (cause) {
    throw failure(
      `cannot unpack libtorch into ${cache}: ${messageOf(cause)}`,
      'Make 1.3 GB of room there, or set XDG_CACHE_HOME to a folder that has it.',
      cause,
    )
  }
  return cache
}

/** Another set-up may have finished first; its folder is as good as ours. */
function moveIntoPlace(unpacked: string, target: string, version: string): string {
  if (libtorchVersion(target) === version) return target
  rmSync(target, { recursive: true, force: true })
  renameSync(unpacked, target)
  return target
}

async function hasPip(env: NodeJS.ProcessEnv): Promise<boolean> {
  const version = await run(python(env), ['--version'], { env })
  if (version.code !== 0) {
    throw failure(
      `${python(env)} was not found; it unpacks libtorch`,
      'Install it: sudo apt-get install python3 python3-pip',
    )
  }
  return (await run(python(env), ['-m', 'pip', '--version'], { env })).code === 0
}

/**
 * The CPU build where pip can have it: from the configured sources first, then from PyTorch's own index when that answers.
 * The last resort is what the configured sources call torch, usually the CUDA build: larger, and its CPU part is all we keep.
 */
async function pipDownload(
  temporary: string,
  version: string,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<string> {
  const attempts: string[][] = [[`torch==${version}+cpu`], [`torch==${version}`]]
  if (env.VSGRPO_OFFLINE !== '1' && (await answers(`${CPU_INDEX}/torch/`))) {
    attempts.splice(1, 0, [`torch==${version}+cpu`, '--index-url', CPU_INDEX])
  }
  let last = ''
  for (const attempt of attempts) {
    log(`pip download ${attempt.join(' ')}`)
    const result = await pip(['--no-deps', ...attempt], temporary, env)
    const wheel = readdirSync(temporary).find((name) => name.startsWith('torch-') && name.endsWith('.whl'))
    if (result.code === 0 && wheel) return join(temporary, wheel)
    last = result.output
  }
  throw pipFailure(`torch ${version}`, last)
}

async function addNvidia(
  requirement: string,
  temporary: string,
  unpacked: string,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<void> {
  log(`this is a CUDA build; pip download ${requirement}`)
  const folder = mkdtempSync(join(temporary, 'nvidia-'))
  const result = await pip([requirement], folder, env)
  if (result.code !== 0) throw pipFailure(requirement, result.output)
  for (const wheel of readdirSync(folder).filter((name) => name.startsWith('nvidia_cuda_'))) {
    await unpack(join(folder, wheel), unpacked, NVIDIA_MEMBERS, env)
  }
}

function pip(args: readonly string[], folder: string, env: NodeJS.ProcessEnv) {
  const quiet = ['--disable-pip-version-check', '--no-input', '--progress-bar', 'off', '--no-cache-dir']
  return run(python(env), ['-m', 'pip', 'download', ...quiet, '--only-binary=:all:', '--dest', folder, ...args], {
    env,
  })
}

/** Says in one line why pip failed, as far as its output tells. */
export function pipFailure(what: string, output: string): VsgrpoError {
  const text = output.toLowerCase()
  const full = text.includes('no space left')
  const offline = /connection|temporary failure in name resolution|network is unreachable|timed out|max retries/.test(
    text,
  )
  const cause = full
    ? 'the disk is full'
    : offline
      ? 'the network cannot be reached'
      : tail(output, 1).replace(/^ERROR:\s*/, '')
  const cure = full
    ? 'Make 1.3 GB of room in the cache folder, or set XDG_CACHE_HOME to a folder that has it.'
    : 'Check the network and `python3 -m pip config list`, or set VSGRPO_LIBTORCH to a libtorch that you have.'
  return failure(`could not fetch ${what}: ${cause}`, cure, new Error(tail(output, 20)))
}

async function zipDownload(temporary: string, log: (line: string) => void): Promise<string> {
  log(`python3 has no pip; fetching ${ZIP}`)
  const file = join(temporary, 'libtorch.zip')
  try {
    const response = await fetch(ZIP)
    if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`)
    await pipeline(Readable.fromWeb(response.body), createWriteStream(file))
    return file
  } catch (cause) {
    throw failure(
      `python3 has no pip, and ${ZIP} could not be fetched: ${messageOf(cause)}`,
      'Install pip (sudo apt-get install python3-pip), or set VSGRPO_LIBTORCH to a libtorch that you have.',
      cause,
    )
  }
}

/** Unpacks the members that match and returns the wheel's METADATA ('' when it has none). */
async function unpack(archive: string, folder: string, members: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { code, stdout, output } = await run(python(env), ['-c', UNPACK_SCRIPT, archive, folder, members], { env })
  if (code === 0 && existsSync(folder)) return stdout
  const full = output.includes('No space left')
  throw failure(
    `could not unpack ${archive}: ${full ? 'the disk is full' : tail(output, 1) || 'it holds no libtorch'}`,
    full ? 'Make room, or set XDG_CACHE_HOME to a folder that has 1.3 GB.' : 'Run `npx vsgrpo setup` again.',
  )
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(4000) })).ok
  } catch {
    return false
  }
}

function failure(message: string, hint: string, cause?: unknown): VsgrpoError {
  return new VsgrpoError(message, { code: 'ERR_VSGRPO_SETUP', hint, cause })
}
