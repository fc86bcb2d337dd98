/**
 * Loads the native addon, once per process: the file that `VSGRPO_ADDON` names, else the local build, else the build in the
 * cache (where the package's folder is read-only). Importing this file loads nothing.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { messageOf, VsgrpoError } from '../errors.js'
import { libtorchVersion } from './libtorch.js'
import { buildDirs, packageRoot } from './paths.js'
import { readStamp } from './stamp.js'

const SETUP = 'Run `npx vsgrpo setup`, which finds or fetches libtorch and builds the addon.'
const require = createRequire(import.meta.url)
let loaded: unknown

/** The addon's exports; src/native.ts types them. Throws ERR_VSGRPO_NATIVE_MISSING or _MISMATCH with the command to run. */
export function loadAddon(): unknown {
  loaded ??= loadAddonFrom(addonFile(packageRoot()))
  return loaded
}

/** The file that `loadAddon` would load. Throws ERR_VSGRPO_NATIVE_MISSING when there is none. */
export function addonFile(root: string, env: NodeJS.ProcessEnv = process.env): string {
  if (env.VSGRPO_ADDON) {
    const file = resolve(env.VSGRPO_ADDON)
    if (existsSync(file)) return file
    throw missing(
      `VSGRPO_ADDON names ${file}, which does not exist`,
      'Correct it, or unset it and run `npx vsgrpo setup`.',
    )
  }
  const local = localBuild(root)
  if (local) return local
  const cached = join(buildDirs(root, env)[1], 'Release', 'vsgrpo.node')
  if (existsSync(cached)) return cached
  throw missing('the native addon is not built', SETUP)
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

function missing(message: string, hint: string, cause?: unknown): VsgrpoError {
  return new VsgrpoError(`${message}. ${hint}`, { code: 'ERR_VSGRPO_NATIVE_MISSING', hint, cause })
}
