/**
 * Finds libtorch, in this order: `VSGRPO_LIBTORCH`, the folder that `vsgrpo setup` unpacked, a Python's installed torch.
 * A libtorch is a folder with `lib/libtorch_cpu.so` and `include/`, version 2.11 or newer.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { InputError, VsgrpoError } from '../errors.js'
import { cacheDir } from './paths.js'
import { run } from './run.js'

/** The release that `setup` fetches. */
export const LIBTORCH_VERSION = '2.13.0'
const OLDEST_LIBTORCH = '2.11.0'

export interface Libtorch {
  /** Absolute path of the folder with include/ and lib/. */
  readonly dir: string
  readonly version: string
  readonly source: 'VSGRPO_LIBTORCH' | 'cache' | 'python'
}

/** Where `setup` unpacks what it fetched: only the parts that run on the CPU, whatever build they came from. */
export function unpackedDir(env: NodeJS.ProcessEnv = process.env, version: string = LIBTORCH_VERSION): string {
  return join(cacheDir(env), `libtorch-${version}-cpu`)
}

/** The version of the libtorch in a folder, from its headers; undefined where there is none. */
export function libtorchVersion(dir: string): string | undefined {
  if (!existsSync(join(dir, 'lib', 'libtorch_cpu.so')) || !existsSync(join(dir, 'include', 'ATen', 'ATen.h'))) return
  for (const header of ['torch/headeronly/version.h', 'torch/csrc/api/include/torch/version.h']) {
    const file = join(dir, 'include', header)
    const version = existsSync(file) ? parseVersionHeader(readFileSync(file, 'utf8')) : undefined
    if (version) return version
  }
  return undefined
}

/** Reads MAJOR.MINOR.PATCH from the macros of libtorch's version header. */
export function parseVersionHeader(text: string): string | undefined {
  const parts = ['MAJOR', 'MINOR', 'PATCH'].map(
    (part) => new RegExp(`#define TORCH_VERSION_${part} (\\d+)`).exec(text)?.[1],
  )
  return parts.includes(undefined) ? undefined : parts.join('.')
}

/** Whether a version such as 2.13.0 or 2.13.0+cpu is at least `oldest`. */
export function isAtLeast(version: string, oldest: string): boolean {
  const numbers = (text: string): number[] =>
    (text.split('+')[0] ?? '').split('.').map((part) => Number.parseInt(part, 10))
  const have = numbers(version)
  const want = numbers(oldest)
  for (let i = 0; i < want.length; i++) {
    const difference = (have[i] ?? 0) - (want[i] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return true
}

/**
 * The libtorch to build against, or undefined when one has to be fetched. Throws when VSGRPO_LIBTORCH is wrong. `unpacked: false`
 * leaves out what setup unpacked, which has the CPU's parts only.
 */
export async function findLibtorch(
  env: NodeJS.ProcessEnv = process.env,
  places: { readonly unpacked: boolean } = { unpacked: true },
): Promise<Libtorch | undefined> {
  if (env.VSGRPO_LIBTORCH) return namedLibtorch(env.VSGRPO_LIBTORCH)
  const unpacked = unpackedDir(env)
  if (places.unpacked && libtorchVersion(unpacked) === LIBTORCH_VERSION)
    return { dir: unpacked, version: LIBTORCH_VERSION, source: 'cache' }
  return fromPython(env)
}

/** The libtorch that the user names; an InputError says how it was named. */
export function namedLibtorch(value: string, option?: '--libtorch'): Libtorch {
  const name = option ? `${option} ${value}` : `VSGRPO_LIBTORCH=${value}`
  const leaveOut = `${option ? `leave ${option} out` : 'unset VSGRPO_LIBTORCH'} and let setup fetch one`
  for (const dir of [value, join(value, 'torch'), join(value, 'libtorch')]) {
    const version = libtorchVersion(dir)
    if (!version) continue
    if (isAtLeast(version, OLDEST_LIBTORCH)) return { dir: resolve(dir), version, source: 'VSGRPO_LIBTORCH' }
    throw new InputError(`${name} holds libtorch ${version}; vsgrpo needs ${OLDEST_LIBTORCH} or newer`, {
      hint: `Name a newer one, or ${leaveOut}.`,
    })
  }
  throw new InputError(`${name} holds no libtorch (lib/libtorch_cpu.so and include/ATen/ATen.h)`, {
    hint: `Name the folder with include/ and lib/, or ${leaveOut}.`,
  })
}

/** A torch that is too old, or without headers, is passed over: the user did not ask for it by name. */
async function fromPython(env: NodeJS.ProcessEnv): Promise<Libtorch | undefined> {
  const code =
    'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")'
  const { code: status, stdout } = await run(python(env), ['-c', code], { env })
  const dir = stdout.trim().split('\n').at(-1) ?? ''
  if (status !== 0 || dir === '') return undefined
  const version = libtorchVersion(dir)
  return version && isAtLeast(version, OLDEST_LIBTORCH) ? { dir, version, source: 'python' } : undefined
}

/** The Python to use: `VSGRPO_PYTHON`, by default `python3`. */
export function python(env: NodeJS.ProcessEnv = process.env): string {
  return env.VSGRPO_PYTHON || 'python3'
}

/** setup and doctor refuse what the engine was never built for. */
export function assertPlatform(platform: string = process.platform): void {
  if (platform === 'linux') return
  throw new VsgrpoError(`the native engine runs on Linux, not on ${platform}`, {
    code: 'ERR_VSGRPO_SETUP',
    hint: 'Use Linux, or a Linux container; rewards, data and reports work everywhere.',
  })
}
