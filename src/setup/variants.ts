/**
 * Builds for CUDA lie beside the CPU's, a folder for each libtorch release and CUDA version: `build/cuda-2.11-cu13/Release`
 * holds the addon for that libtorch and the two libraries that it loads when a GPU is asked for.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { buildDirs, writableBuildDir } from './paths.js'
import { stampFile } from './stamp.js'

/** `cuda-2.11-cu13` for libtorch 2.11.0 and CUDA 13. */
export function variantName(libtorch: string, cuda: number): string {
  return `cuda-${libtorch.split('.').slice(0, 2).join('.')}-cu${cuda}`
}

/** The folder to build a variant in. */
export function variantDir(root: string, env: NodeJS.ProcessEnv, name: string): string {
  return join(writableBuildDir(root, env), name)
}

/** The addon of the CUDA build that was made last; undefined when there is none, or none that is finished. */
export function cudaAddon(root: string, env: NodeJS.ProcessEnv): string | undefined {
  const addons = buildDirs(root, env).flatMap((dir) => variants(dir).map((name) => addonIn(join(dir, name))))
  const finished = addons.filter((file) => existsSync(file) && existsSync(stampFile(file)))
  const madeAt = (file: string): number => statSync(stampFile(file)).mtimeMs
  return finished.sort((a, b) => madeAt(b) - madeAt(a))[0]
}

/** Where a build folder holds its addon. */
export function addonIn(dir: string): string {
  return join(dir, 'Release', 'vsgrpo.node')
}

function variants(dir: string): string[] {
  if (!existsSync(dir)) return []
  return readdirSync(dir).filter((name) => /^cuda-\d+\.\d+-cu\d+$/.test(name))
}
