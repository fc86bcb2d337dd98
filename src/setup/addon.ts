/**
 * Loads the native addon, once per process: the file that `VSGRPO_ADDON` names, else the local build, else the build in the
 * cache (where the package's folder is read-only). A GPU wants the addon that was built for CUDA, which is another file, as it
 * is for another libtorch. Importing this file loads nothing.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { messageOf, VsgrpoError } from '../errors.js'
import { libtorchVersion } from './libtorch.js'
import { buildDirs, packageRoot } from './paths.js'
import { readStamp } from './stamp.js'
import { addonIn, cudaAddon } from './variants.js'

const SETUP = 'Run `npx vsgrpo setup`, which finds or fetches libtorch and builds the addon.'
const require = createRequire(import.meta.url)
let loaded: { readonly file: string; readonly addon: unknown } | undefined

/**
 * The addon's exports; src/native.ts types them. Throws ERR_VSGRPO_NATIVE_MISSING or _MISMATCH with the command to run, and
 * ERR_VSGRPO_NO_CUDA when a GPU is asked for after another addon was loaded.
 */
export function loadAddon(device: 'cpu' | 'cuda' = 'cpu'): unknown {
  if (loaded && device === 'cpu') return loaded.addon
  const file = addonFile(packageRoot(), process.env, device)
  if (loaded && loaded.file !== file) throw loadedAlready(loaded.file, file)
  loaded ??= { file, addon: loadAddonFrom(file) }
  return loaded.addon
}

/** The file that `loadAddon` would load. Throws ERR_VSGRPO_NATIVE_MISSING when there is none. */
export function addonFile(root: string, env: NodeJS.ProcessEnv = process.env, device: 'cpu' | 'cuda' = 'cpu'): string {
  if (env.VSGRPO_ADDON) {
    const file = resolve(env.VSGRPO_ADDON)
    if (existsSync(file)) return file
    throw missing(
      `VSGRPO_ADDON names ${file}, which does not exist`,
      'Correct it, or unset it and run `npx vsgrpo setup`.',
    )
  }
  const find = { cpu: () => cpuAddon(root, env), cuda: () => cudaAddon(root, env) }
  const found = device === 'cuda' ? (find.cuda() ?? find.cpu()) : (find.cpu() ?? find.cuda())
  if (found) return found
  throw missing('the native addon is not built', SETUP)
}

function cpuAddon(root: string, env: NodeJS.ProcessEnv): string | undefined {
  const cached = addonIn(buildDirs(root, env)[1])
  return localBuild(root) ?? (existsSync(cached) ? cached : undefined)
}

/** build/Release first, then prebuilds/, as node-gyp-build orders them; it throws when there is neither. */
function localBuild(root: string): string | undefined {
  const nodeGypBuild: { path(dir: string): string } = require('node-gyp-build')
  try {
    return nodeGypBuild.path(root)
  } catch {
    return undefined
  }
}

/** Loads one addon file and checks that it fits the libtorch it will load. */
export function loadAddonFrom(file: string): unknown {
  const libtorch = readStamp(file)?.libtorch
  const present = libtorch && libtorchVersion(libtorch.dir)
  if (libtorch && !present) throw missing(`the addon was built with libtorch in ${libtorch.dir}, which is gone`, SETUP)
  // Waiting OpenMP threads must sleep: spinning ones slow a shared machine down several times over.
  process.env.OMP_WAIT_POLICY ??= 'PASSIVE'
  const addon = requireAddon(file)
  const built = builtWith(addon)
  if (present && built !== present) {
    throw new VsgrpoError(
      `the addon was built for libtorch ${built ?? '?'}, but ${libtorch.dir} now holds ${present}`,
      {
        code: 'ERR_VSGRPO_NATIVE_MISMATCH',
        hint: SETUP,
      },
    )
  }
  return addon
}

function requireAddon(file: string): unknown {
  try {
    return require(file)
  } catch (cause) {
    throw missing(`the addon ${file} cannot be loaded: ${messageOf(cause)}`, SETUP, cause)
  }
}

function builtWith(addon: unknown): string | undefined {
  if (typeof addon !== 'object' || addon === null || !('buildInfo' in addon)) return undefined
  const info: unknown = typeof addon.buildInfo === 'function' ? addon.buildInfo() : undefined
  if (typeof info !== 'object' || info === null || !('libtorch' in info)) return undefined
  return typeof info.libtorch === 'string' ? info.libtorch : undefined
}

/** Two libtorch in one process would share their symbols. */
function loadedAlready(file: string, wanted: string): VsgrpoError {
  return new VsgrpoError(`[device] this process has loaded the addon ${file}; a GPU needs ${wanted}`, {
    code: 'ERR_VSGRPO_NO_CUDA',
    hint: `Load the GPU's model before anything else in the process, or set VSGRPO_ADDON=${wanted}`,
  })
}

function missing(message: string, hint: string, cause?: unknown): VsgrpoError {
  return new VsgrpoError(`${message}. ${hint}`, { code: 'ERR_VSGRPO_NATIVE_MISSING', hint, cause })
}
