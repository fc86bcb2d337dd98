/** What a build for CUDA needs beside the CPU's: a libtorch with its CUDA part, and nvcc of the same CUDA. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { VsgrpoError } from '../errors.js'
import { findLibtorch, type Libtorch, libtorchVersion } from './libtorch.js'
import { cacheDir } from './paths.js'
import { run } from './run.js'

/** The release that `setup --cuda` fetches: on PyPI it is the build for CUDA 13. */
export const CUDA_LIBTORCH_VERSION = '2.11.0'
/** The kernels need this CUDA's compiler, and one process holds one CUDA runtime: libtorch's. */
export const CUDA_MAJOR = 13

/** Where `setup --cuda` unpacks what it fetched: `torch/` beside `nvidia/`, as in Python's site-packages. */
export function cudaUnpackedDir(env: NodeJS.ProcessEnv): string {
  return join(cacheDir(env), `libtorch-${CUDA_LIBTORCH_VERSION}-cu${CUDA_MAJOR}`)
}

/** The CUDA that a libtorch was built for, e.g. 13; undefined for a CPU build. */
export function cudaOf(dir: string): number | undefined {
  const library = join(dir, 'lib', 'libc10_cuda.so')
  if (!existsSync(library) || !existsSync(join(dir, 'lib', 'libtorch_cuda.so'))) return undefined
  const [, major] = /libcudart\.so\.(\d+)/.exec(readFileSync(library, 'latin1')) ?? []
  return major === undefined ? undefined : Number(major)
}

/**
 * The libtorch to build against, or undefined when one has to be fetched. One that VSGRPO_LIBTORCH names must be for this CUDA;
 * a Python's torch for another is passed over.
 */
export async function findCudaLibtorch(env: NodeJS.ProcessEnv): Promise<Libtorch | undefined> {
  const unpacked = join(cudaUnpackedDir(env), 'torch')
  if (!env.VSGRPO_LIBTORCH && cudaOf(unpacked) === CUDA_MAJOR) {
    const version = libtorchVersion(unpacked)
    if (version) return { dir: unpacked, version, source: 'cache' }
  }
  const found = await findLibtorch(env, { unpacked: false })
  if (!found || cudaOf(found.dir) === CUDA_MAJOR) return found
  if (found.source !== 'VSGRPO_LIBTORCH') return undefined
  throw missing(
    `the libtorch in ${found.dir} is ${buildName(cudaOf(found.dir))}, a build for CUDA ${CUDA_MAJOR} is needed`,
    `Name a torch ${CUDA_LIBTORCH_VERSION} or newer for CUDA ${CUDA_MAJOR}, or leave it out and let setup fetch one.`,
  )
}

function buildName(cuda: number | undefined): string {
  return cuda === undefined ? 'a CPU build' : `for CUDA ${cuda}`
}

export interface Nvcc {
  readonly file: string
  /** e.g. '13.0' */
  readonly version: string
}

/** CUDA's compiler. Throws with all places that were looked at, and what was there. */
export async function findNvcc(env: NodeJS.ProcessEnv, toolkits: string = '/usr/local'): Promise<Nvcc> {
  const looked: string[] = []
  for (const file of nvccPlaces(env, toolkits)) {
    const { code, stdout } = await run(file, ['--version'], { env })
    const version = /release (\d+\.\d+)/.exec(stdout)?.[1]
    if (code === 0 && version && Number.parseInt(version, 10) === CUDA_MAJOR) return { file, version }
    looked.push(`${file} (${code === 0 && version ? `CUDA ${version}` : 'not there'})`)
  }
  throw missing(
    `no nvcc of CUDA ${CUDA_MAJOR} was found; looked for ${looked.join(', ')}`,
    `Install cuda-toolkit-${CUDA_MAJOR}-0 from developer.nvidia.com/cuda-downloads, or set CUDACXX to its nvcc.`,
  )
}

/** Which compiler is taken, and that it is not the one that CUDACXX names. */
export function nvccLine({ file, version }: Nvcc, { CUDACXX }: NodeJS.ProcessEnv): string {
  const passedOver = CUDACXX && CUDACXX !== file ? `; CUDACXX=${CUDACXX} is no nvcc of CUDA ${CUDA_MAJOR}` : ''
  return `nvcc of CUDA ${version}: ${file}${passedOver}`
}

/** What the user names first, then PATH, then where NVIDIA's packages put it. */
function nvccPlaces(env: NodeJS.ProcessEnv, toolkits: string): string[] {
  const homes = [env.CUDA_HOME, env.CUDA_PATH].filter((home) => home !== undefined && home !== '')
  const installed = existsSync(toolkits)
    ? readdirSync(toolkits).filter((name) => /^cuda(-13(\.\d+)?)?$/.test(name))
    : []
  const roots = [...homes, ...installed.sort().map((name) => join(toolkits, name))]
  const places = [env.CUDACXX ?? '', 'nvcc', ...roots.map((home) => join(home ?? '', 'bin', 'nvcc'))]
  return [...new Set(places.filter((place) => place !== ''))]
}

function missing(message: string, hint: string): VsgrpoError {
  return new VsgrpoError(message, { code: 'ERR_VSGRPO_SETUP', hint })
}
