/** Finding what a build for CUDA needs, and loading it: folders, compilers and addons here are made up. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addonFile } from '../../../src/setup/addon.js'
import { buildFlags } from '../../../src/setup/build.js'
import { cudaOf, cudaUnpackedDir, findCudaLibtorch, findNvcc, nvccLine } from '../../../src/setup/cuda.js'
import { diagnose } from '../../../src/setup/doctor.js'
import { checkCuda } from '../../../src/setup/doctor-cuda.js'
import { probeGpu } from '../../../src/setup/gpu.js'
import { LIBTORCH_VERSION, unpackedDir } from '../../../src/setup/libtorch.js'
import { buildDirs, packageRoot } from '../../../src/setup/paths.js'
import { expectedStamp, stampFile } from '../../../src/setup/stamp.js'
import { addonIn, cudaAddon, variantDir, variantName } from '../../../src/setup/variants.js'
import { CUDA_NVIDIA_MEMBERS, CUDA_TORCH_MEMBERS, cudaRequirements } from '../../../src/setup/wheel.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vsgrpo-cuda-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(path: string, content: string): string {
  const file = path.startsWith('/') ? path : join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}

/** No Python, an empty cache. */
const bareEnv = (extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  XDG_CACHE_HOME: join(folder, 'cache'),
  VSGRPO_PYTHON: join(folder, 'no-python'),
  PATH: join(folder, 'empty'),
  ...extra,
})

function fakeTorch(dir: string, version: string, cuda?: number): string {
  const [major, minor, patch] = version.split('.')
  const macros = { MAJOR: major, MINOR: minor, PATCH: patch }
  const lines = Object.entries(macros).map(([name, value]) => `#define TORCH_VERSION_${name} ${value}\n`)
  write(join(dir, 'include/torch/headeronly/version.h'), lines.join(''))
  write(join(dir, 'include/ATen/ATen.h'), '')
  write(join(dir, 'lib/libtorch_cpu.so'), '')
  if (cuda === undefined) return dir
  write(join(dir, 'lib/libtorch_cuda.so'), '')
  write(join(dir, 'lib/libc10_cuda.so'), `\u007fELF noise \0libcudart.so.${cuda}\0 more`)
  return dir
}

function fakeNvcc(path: string, release: string): string {
  const file = write(path, `#!/bin/sh\necho "Cuda compilation tools, release ${release}, V${release}.88"\n`)
  chmodSync(file, 0o755)
  return file
}

describe('the libtorch of a build for CUDA', () => {
  it('is known by its own libraries', () => {
    expect(cudaOf(fakeTorch(join(folder, 'a'), '2.11.0', 13))).toBe(13)
    expect(cudaOf(fakeTorch(join(folder, 'b'), '2.13.0'))).toBeUndefined()
  })

  it('is the one that is named, which must have CUDA 13', async () => {
    const torch = fakeTorch(join(folder, 'site-packages/torch'), '2.11.0', 13)
    const found = await findCudaLibtorch(bareEnv({ VSGRPO_LIBTORCH: join(folder, 'site-packages') }))
    expect(found).toMatchObject({ dir: torch, version: '2.11.0', source: 'VSGRPO_LIBTORCH' })
    const cpu = fakeTorch(join(folder, 'cpu'), '2.13.0')
    await expect(findCudaLibtorch(bareEnv({ VSGRPO_LIBTORCH: cpu }))).rejects.toThrow(
      /cpu is a CPU build, a build for CUDA 13 is needed/,
    )
    const old = fakeTorch(join(folder, 'old'), '2.11.0', 12)
    await expect(findCudaLibtorch(bareEnv({ VSGRPO_LIBTORCH: old }))).rejects.toThrow(/old is for CUDA 12/)
  })

  it('is what was fetched before, never the CPU build beside it, else a Python’s torch with CUDA', async () => {
    const env = bareEnv()
    fakeTorch(unpackedDir(env), LIBTORCH_VERSION)
    expect(await findCudaLibtorch(env)).toBeUndefined()
    const python = write('python', `#!/bin/sh\necho ${join(folder, 'pythons/torch')}\n`)
    chmodSync(python, 0o755)
    fakeTorch(join(folder, 'pythons/torch'), '2.12.0', 13)
    expect(await findCudaLibtorch({ ...env, VSGRPO_PYTHON: python })).toMatchObject({ source: 'python' })
    fakeTorch(join(folder, 'pythons/torch'), '2.12.0', 12)
    expect(await findCudaLibtorch({ ...env, VSGRPO_PYTHON: python })).toBeUndefined()
    const fetched = fakeTorch(join(cudaUnpackedDir(env), 'torch'), '2.11.0', 13)
    expect(await findCudaLibtorch(env)).toEqual({ dir: fetched, version: '2.11.0', source: 'cache' })
  })

  it('comes with every NVIDIA library that its wheel names, and nothing for Python', () => {
    const metadata = [
      'Requires-Dist: filelock',
      'Requires-Dist: cuda-bindings<14,>=13.0.3; platform_system == "Linux"',
      'Requires-Dist: cuda-toolkit[cublas,cudart,nvtx] ==13.0.2; platform_system == "Linux"',
      'Requires-Dist: nvidia-cudnn-cu13 (==9.19.0.56); platform_system == "Linux"',
      'Requires-Dist: triton==3.6.0; platform_system == "Linux"',
      'Requires-Dist: nvidia-extra==1; extra == "profile"',
    ]
    expect(cudaRequirements(metadata.join('\r\n'))).toEqual([
      'cuda-toolkit[cublas,cudart,nvtx]==13.0.2',
      'nvidia-cudnn-cu13==9.19.0.56',
    ])
    const taken = (name: string) => new RegExp(CUDA_TORCH_MEMBERS).exec(name)?.[1]
    for (const name of ['torch/lib/libtorch_cuda.so', 'torch/lib/libgomp.so.1', 'torch/include/ATen/ATen.h'])
      expect(taken(name)).toBe(name)
    for (const name of ['torch/lib/libtorch_python.so', 'torch/lib/libshm.so', 'torch/nn/a.py', 'torch/bin/protoc'])
      expect(taken(name)).toBeUndefined()
    const library = 'nvidia/cudnn/lib/libcudnn.so.9'
    expect(new RegExp(CUDA_NVIDIA_MEMBERS).exec(library)?.[1]).toBe(library)
    expect(new RegExp(CUDA_NVIDIA_MEMBERS).exec('nvidia/cu13/include/cuda.h')).toBeNull()
  })
})

describe('nvcc', () => {
  it('is the one that CUDACXX names, else that on PATH, in CUDA_HOME, or where NVIDIA’s packages put it', async () => {
    const packaged = fakeNvcc('toolkits/cuda-13.0/bin/nvcc', '13.0')
    const env = bareEnv()
    const find = (more: NodeJS.ProcessEnv = {}) => findNvcc({ ...env, ...more }, join(folder, 'toolkits'))
    expect(await find()).toEqual({ file: packaged, version: '13.0' })
    const home = fakeNvcc('home/bin/nvcc', '13.1')
    expect((await find({ CUDA_HOME: join(folder, 'home') })).file).toBe(home)
    fakeNvcc('path/nvcc', '13.2')
    expect(await find({ PATH: `${join(folder, 'path')}` })).toEqual({ file: 'nvcc', version: '13.2' })
    const chosen = fakeNvcc('chosen', '13.3')
    expect((await find({ CUDACXX: chosen })).file).toBe(chosen)
    expect(nvccLine({ file: chosen, version: '13.3' }, { CUDACXX: chosen })).toBe(`nvcc of CUDA 13.3: ${chosen}`)
    expect(nvccLine({ file: 'nvcc', version: '13.2' }, { CUDACXX: '/nope' })).toBe(
      'nvcc of CUDA 13.2: nvcc; CUDACXX=/nope is no nvcc of CUDA 13',
    )
  })

  it('is missing with every place that was looked at, and what was there', async () => {
    const old = fakeNvcc('toolkits/cuda/bin/nvcc', '12.8')
    const failure = findNvcc(bareEnv({ CUDACXX: '/no/nvcc' }), join(folder, 'toolkits'))
    await expect(failure).rejects.toThrow(
      `no nvcc of CUDA 13 was found; looked for /no/nvcc (not there), nvcc (not there), ${old} (CUDA 12.8)`,
    )
    await expect(failure).rejects.toMatchObject({ code: 'ERR_VSGRPO_SETUP', hint: expect.stringMatching(/CUDACXX/) })
  })

  it('is part of what a build depends on', () => {
    const nvcc = { file: '/cuda/bin/nvcc', version: '13.0' }
    expect(buildFlags({}, nvcc)).toContain('-DVSGRPO_CUDA=ON')
    expect(buildFlags({})).not.toContain('-DVSGRPO_CUDA=ON')
  })
})

/** A finished build, as old as it says. */
function build(dir: string, seconds: number): string {
  const file = write(addonIn(dir), '')
  write(stampFile(file), JSON.stringify({ hash: 'x', libtorch: { dir: folder, version: '2.11.0' } }))
  utimesSync(stampFile(file), seconds, seconds)
  return file
}

describe('the addon for a GPU', () => {
  it('lies in a folder for its libtorch and CUDA, beside the CPU’s', () => {
    expect(variantName('2.11.0', 13)).toBe('cuda-2.11-cu13')
    expect(variantDir(folder, bareEnv(), 'cuda-2.11-cu13')).toBe(join(folder, 'build', 'cuda-2.11-cu13'))
  })

  it('is the finished build that was made last; the CPU takes it only where it has none of its own', () => {
    const env = bareEnv()
    expect(cudaAddon(folder, env)).toBeUndefined()
    const first = build(join(folder, 'build/cuda-2.11-cu13'), 1000)
    write(addonIn(join(folder, 'build/cuda-2.12-cu13')), 'unfinished: it has no stamp')
    expect(cudaAddon(folder, env)).toBe(first)
    const second = build(join(folder, 'build/cuda-2.13-cu13'), 2000)
    expect(cudaAddon(folder, env)).toBe(second)
    expect(addonFile(folder, env, 'cpu')).toBe(second)
    const cpu = write('build/Release/vsgrpo.node', '')
    expect(addonFile(folder, env, 'cpu')).toBe(cpu)
    expect(addonFile(folder, env, 'cuda')).toBe(second)
    expect(addonFile(folder, { ...env, VSGRPO_ADDON: first }, 'cuda')).toBe(first)
  })

  it('is the CPU’s where there is no other: its engine says what is missing', () => {
    const cpu = write('build/Release/vsgrpo.node', '')
    expect(addonFile(folder, bareEnv(), 'cuda')).toBe(cpu)
  })
})

describe('looking for the GPU', () => {
  const addon = (body: string): string => write('addon.cjs', `exports.gpuMemory = async () => { ${body} }`)

  it('tells its memory, or why there is none', async () => {
    expect(await probeGpu(addon('return { totalBytes: 141e9, freeBytes: 140e9 }'), process.env)).toEqual({
      ok: true,
      detail: 'a GPU with 141.0 GB, 140.0 GB of it free',
    })
    expect(await probeGpu(addon("throw new Error('[cuda] no driver')"), process.env)).toEqual({
      ok: false,
      detail: '[cuda] no driver',
    })
    expect((await probeGpu(addon('process.exit(3)'), process.env)).detail).toMatch(/ended with 3/)
    expect((await probeGpu('/no/such/addon', process.env)).ok).toBe(false)
  })

  it('is the doctor’s business, and no fault where CUDA was not asked for', async () => {
    const env = bareEnv({ VSGRPO_ADDON: addon('return { totalBytes: 2e9, freeBytes: 1e9 }') })
    expect(await checkCuda(env)).toMatchObject({ name: 'CUDA', ok: true, optional: true })
    const broken = await checkCuda({ ...env, VSGRPO_ADDON: addon("throw new Error('[cuda] no driver')") })
    expect(broken).toMatchObject({ ok: false, optional: true, detail: '[cuda] no driver' })
  })

  it('finds nothing missing where the only build is for CUDA: it serves the CPU too', async () => {
    const env = bareEnv()
    build(join(buildDirs(packageRoot(), env)[1], 'cuda-9.9-cu13'), Date.now() / 1000 + 1e6)
    const checks = await diagnose(env)
    const found = checks.find(({ name }) => name === 'libtorch')
    expect(found).toMatchObject({ ok: true, detail: `2.11.0 in ${folder}` })
  })

  it('says that a build is out of date, or that its libtorch is gone', async () => {
    const torch = fakeTorch(join(folder, 'torch'), '2.11.0', 13)
    const env = bareEnv({ CUDACXX: fakeNvcc('nvcc', '13.0') })
    // The package's own build folder is not touched: the one in the cache of this environment is looked at too.
    const file = write(addonIn(join(buildDirs(packageRoot(), env)[1], 'cuda-9.9-cu13')), '')
    const later = Date.now() / 1000 + 1e6
    const stamp = (hash: string): void => {
      write(stampFile(file), JSON.stringify({ hash, libtorch: { dir: torch, version: '2.11.0' } }))
      utimesSync(stampFile(file), later, later)
    }
    stamp('x')
    expect((await checkCuda(env)).detail).toMatch(/^out of date: sources or nvcc have changed: .*cuda-9\.9-cu13/)
    const flags = buildFlags(env, await findNvcc(env))
    stamp(expectedStamp(packageRoot(), { dir: torch, version: '2.11.0', source: 'cache' }, flags).hash)
    expect((await checkCuda(env)).detail).not.toMatch(/out of date/)
    rmSync(join(torch, 'lib'), { recursive: true })
    expect((await checkCuda(env)).detail).toMatch(/its libtorch in .* is gone/)
  })
})
