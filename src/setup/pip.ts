/** What fetching a libtorch takes, whichever build: a cache with room, pip, and unpacking what pip brought. */
import { existsSync, mkdirSync, renameSync, rmSync, statfsSync } from 'node:fs'
import { messageOf, VsgrpoError } from '../errors.js'
import { python } from './libtorch.js'
import { cacheDir } from './paths.js'
import { run, tail } from './run.js'
import { UNPACK_SCRIPT } from './wheel.js'

/** The cache's folder, made where it is missing; throws where it has not so many bytes left. */
export function makeCache(env: NodeJS.ProcessEnv, needed: number): string {
  const cache = cacheDir(env)
  try {
    mkdirSync(cache, { recursive: true })
    const { bavail, bsize } = statfsSync(cache)
    if (bavail * bsize < needed) throw new Error(`only ${(bavail * bsize * 1e-9).toFixed(1)} GB are free`)
  } catch (cause) {
    throw failure(
      `cannot unpack libtorch into ${cache}: ${messageOf(cause)}`,
      `Make ${(needed * 1e-9).toFixed(1)} GB of room there, or set XDG_CACHE_HOME to a folder that has it.`,
      cause,
    )
  }
  return cache
}

/** Another set-up may have finished first: a `target` that is whole is as good as ours. */
export function moveIntoPlace(unpacked: string, target: string, isWhole: (dir: string) => boolean): string {
  if (isWhole(target)) return target
  rmSync(target, { recursive: true, force: true })
  renameSync(unpacked, target)
  return target
}

/** Whether Python has pip; throws where there is no Python. */
export async function hasPip(env: NodeJS.ProcessEnv): Promise<boolean> {
  const version = await run(python(env), ['--version'], { env })
  if (version.code !== 0) {
    throw failure(
      `${python(env)} was not found; it unpacks libtorch`,
      'Install it: sudo apt-get install python3 python3-pip',
    )
  }
  return (await run(python(env), ['-m', 'pip', '--version'], { env })).code === 0
}

/** `pip download` into a folder. */
export function pip(args: readonly string[], folder: string, env: NodeJS.ProcessEnv) {
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
    ? 'Make room in the cache folder, or set XDG_CACHE_HOME to a folder that has it.'
    : 'Check the network and `python3 -m pip config list`, or set VSGRPO_LIBTORCH to a libtorch that you have.'
  return failure(`could not fetch ${what}: ${cause}`, cure, new Error(tail(output, 20)))
}

/** Unpacks the members that match and returns the wheel's METADATA ('' when it has none). */
export async function unpack(
  archive: string,
  folder: string,
  members: string,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const { code, stdout, output } = await run(python(env), ['-c', UNPACK_SCRIPT, archive, folder, members], { env })
  if (code === 0 && existsSync(folder)) return stdout
  const full = output.includes('No space left')
  throw failure(
    `could not unpack ${archive}: ${full ? 'the disk is full' : tail(output, 1) || 'it holds no libtorch'}`,
    full ? 'Make room, or set XDG_CACHE_HOME to a folder that has it.' : 'Run `npx vsgrpo setup` again.',
  )
}

/** An error of fetching, with what to do about it. */
export function failure(message: string, hint: string, cause?: unknown): VsgrpoError {
  return new VsgrpoError(message, { code: 'ERR_VSGRPO_SETUP', hint, cause })
}
