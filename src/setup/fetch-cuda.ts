/**
 * Fetches libtorch for CUDA and NVIDIA's libraries that it links, by pip, and unpacks their libraries and headers side by side.
 * As with the CPU's, an interrupted set-up leaves nothing that looks whole.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CUDA_LIBTORCH_VERSION, CUDA_MAJOR, cudaOf, cudaUnpackedDir } from './cuda.js'
import { type Libtorch, libtorchVersion } from './libtorch.js'
import { failure, hasPip, makeCache, moveIntoPlace, pip, pipFailure, unpack } from './pip.js'
import { CUDA_NVIDIA_MEMBERS, CUDA_TORCH_MEMBERS, cudaRequirements } from './wheel.js'

/** The wheels (2.6 GB) and what is unpacked of them. */
const NEEDED_BYTES = 8e9

const OWN =
  'Install torch 2.11 or newer for CUDA 13 in Python, or name its folder: npx vsgrpo setup --cuda --libtorch DIR'

export interface FetchCudaOptions {
  readonly env: NodeJS.ProcessEnv
  readonly log: (line: string) => void
}

/** Throws with the cause and the cure. */
export async function fetchCudaLibtorch({ env, log }: FetchCudaOptions): Promise<Libtorch> {
  const cache = makeCache(env, NEEDED_BYTES)
  if (!(await hasPip(env))) throw failure('libtorch for CUDA is fetched by pip, which Python lacks', OWN)
  const temporary = mkdtempSync(join(cache, 'fetch-'))
  try {
    const unpacked = join(temporary, 'libtorch')
    const torch = `torch==${CUDA_LIBTORCH_VERSION}`
    const metadata = await fetchInto(unpacked, ['--no-deps', torch], CUDA_TORCH_MEMBERS)
    if (cudaOf(join(unpacked, 'torch')) !== CUDA_MAJOR) {
      throw failure(`what pip calls ${torch} here is not the build for CUDA ${CUDA_MAJOR}`, OWN)
    }
    const libraries = cudaRequirements(metadata)
    if (libraries.length > 0) await fetchInto(unpacked, libraries, CUDA_NVIDIA_MEMBERS)
    const isWhole = (dir: string): boolean => cudaOf(join(dir, 'torch')) === CUDA_MAJOR
    const dir = join(moveIntoPlace(unpacked, cudaUnpackedDir(env), isWhole), 'torch')
    return { dir, version: libtorchVersion(dir) ?? CUDA_LIBTORCH_VERSION, source: 'cache' }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }

  /** Downloads, unpacks and forgets wheels; returns their METADATA. */
  async function fetchInto(folder: string, requirements: readonly string[], members: string): Promise<string> {
    const wheels = mkdtempSync(join(temporary, 'wheels-'))
    log(`pip download ${requirements.join(' ')}`)
    const result = await pip(requirements, wheels, env)
    if (result.code !== 0) throw pipFailure(requirements.join(' '), result.output)
    const texts: string[] = []
    for (const name of readdirSync(wheels).filter((file) => file.endsWith('.whl'))) {
      log(`unpack ${name}`)
      texts.push(await unpack(join(wheels, name), folder, members, env))
    }
    rmSync(wheels, { recursive: true })
    return texts.join('\n')
  }
}
