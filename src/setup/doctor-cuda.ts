/** The doctor's line about CUDA: whether there is a build for it, whether that is current, and whether it sees a GPU. */
import { messageOf } from '../errors.js'
import { buildFlags } from './build.js'
import type { Check } from './check.js'
import { findNvcc } from './cuda.js'
import { probeGpu } from './gpu.js'
import { libtorchVersion } from './libtorch.js'
import { packageRoot } from './paths.js'
import { expectedStamp, readStamp, type Stamp } from './stamp.js'
import { cudaAddon } from './variants.js'

const SETUP = 'npx vsgrpo setup --cuda'

/** Never throws. Optional: only `device: 'cuda'` needs it. */
export async function checkCuda(env: NodeJS.ProcessEnv): Promise<Check> {
  const check = { name: 'CUDA', ok: false, cure: SETUP, optional: true }
  try {
    const root = packageRoot()
    const addon = env.VSGRPO_ADDON || cudaAddon(root, env)
    if (!addon) return { ...check, detail: `not built; ${await compilerState(env)}` }
    const stamp = readStamp(addon)
    const state = env.VSGRPO_ADDON || !stamp ? '' : await staleness(root, stamp, env)
    if (state !== '') return { ...check, detail: `${state}: ${addon}` }
    const { ok, detail } = await probeGpu(addon, env)
    // What is wrong with the machine says itself what fixes it.
    return { ...check, ok, detail: ok ? `${detail}; ${addon}` : detail, cure: undefined }
  } catch (error) {
    return { ...check, detail: messageOf(error) }
  }
}

async function compilerState(env: NodeJS.ProcessEnv): Promise<string> {
  try {
    const { file, version } = await findNvcc(env)
    return `nvcc ${version} is there: ${file}`
  } catch (error) {
    return messageOf(error)
  }
}

/** What is wrong with a build, or nothing. */
async function staleness(root: string, { hash, libtorch }: Stamp, env: NodeJS.ProcessEnv): Promise<string> {
  if (libtorchVersion(libtorch.dir) !== libtorch.version) return `its libtorch in ${libtorch.dir} is gone or another`
  const flags = buildFlags(env, await findNvcc(env))
  const current = expectedStamp(root, { ...libtorch, source: 'cache' }, flags).hash === hash
  return current ? '' : 'out of date: sources or nvcc have changed'
}
