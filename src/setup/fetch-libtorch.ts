/**
 * Fetches libtorch and unpacks what is linked of it. Everything happens in a temporary folder of the cache that is renamed
 * at the end, so an interrupted set-up leaves nothing that looks whole.
 */
import { createWriteStream, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { messageOf } from '../errors.js'
import { LIBTORCH_VERSION, type Libtorch, libtorchVersion, unpackedDir } from './libtorch.js'
import { failure, hasPip, makeCache, moveIntoPlace, pip, pipFailure, unpack } from './pip.js'
import { NVIDIA_MEMBERS, nvidiaRequirements, TORCH_MEMBERS } from './wheel.js'

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
  const cache = makeCache(env, NEEDED_BYTES)
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
    const isWhole = (dir: string): boolean => libtorchVersion(dir) === version
    return { dir: moveIntoPlace(unpacked, unpackedDir(env, version), isWhole), version, source: 'cache' }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
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

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(4000) })).ok
  } catch {
    return false
  }
}
