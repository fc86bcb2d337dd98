/** How libtorch is found, and what is taken from a wheel. Folders here are made up: only file names and headers matter. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { InputError } from '../../../src/errors.js'
import {
  assertPlatform,
  findLibtorch,
  isAtLeast,
  LIBTORCH_VERSION,
  libtorchVersion,
  namedLibtorch,
  parseVersionHeader,
  unpackedDir,
} from '../../../src/setup/libtorch.js'
import { pipFailure } from '../../../src/setup/pip.js'
import { NVIDIA_MEMBERS, nvidiaRequirements, TORCH_MEMBERS } from '../../../src/setup/wheel.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vsgrpo-libtorch-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function header(version: string): string {
  const [major, minor, patch] = version.split('.')
  return `#define TORCH_VERSION_MAJOR ${major}\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH ${patch}\n`
}

function fakeLibtorch(dir: string, version: string, place = 'torch/headeronly/version.h'): string {
  const files = { 'lib/libtorch_cpu.so': '', 'include/ATen/ATen.h': '', [`include/${place}`]: header(version) }
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(dir, name, '..'), { recursive: true })
    writeFileSync(join(dir, name), content)
  }
  return dir
}

/** No Python, an empty cache. */
function bareEnv(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { XDG_CACHE_HOME: join(folder, 'cache'), VSGRPO_PYTHON: join(folder, 'no-python'), PATH: '', ...extra }
}

describe('the version of a libtorch', () => {
  it('is read from either of its version headers', () => {
    expect(libtorchVersion(fakeLibtorch(join(folder, 'new'), '2.13.0'))).toBe('2.13.0')
    const old = 'torch/csrc/api/include/torch/version.h'
    expect(libtorchVersion(fakeLibtorch(join(folder, 'old'), '2.5.1', old))).toBe('2.5.1')
  })

  it('is undefined without the library, without headers, or with a header that only includes another', () => {
    expect(libtorchVersion(folder)).toBeUndefined()
    expect(parseVersionHeader('#include <torch/headeronly/version.h>')).toBeUndefined()
    const dir = fakeLibtorch(join(folder, 'no-library'), '2.13.0')
    rmSync(join(dir, 'lib'), { recursive: true })
    expect(libtorchVersion(dir)).toBeUndefined()
  })

  it('is compared number by number', () => {
    expect(isAtLeast('2.11.0', '2.11.0')).toBe(true)
    expect(isAtLeast('2.13.0+cpu', '2.11.0')).toBe(true)
    expect(isAtLeast('2.9.1', '2.11.0')).toBe(false)
    expect(isAtLeast('3.0', '2.11.0')).toBe(true)
  })
})

describe('finding libtorch', () => {
  it('takes the folder that VSGRPO_LIBTORCH names, or torch/ in it, before everything else', async () => {
    const dir = fakeLibtorch(join(folder, 'site-packages', 'torch'), '2.12.1')
    const env = bareEnv({ VSGRPO_LIBTORCH: join(folder, 'site-packages') })
    fakeLibtorch(unpackedDir(env), LIBTORCH_VERSION)
    expect(await findLibtorch(env)).toEqual({ dir, version: '2.12.1', source: 'VSGRPO_LIBTORCH' })
  })

  it('speaks of --libtorch where that named it', () => {
    expect(() => namedLibtorch(folder, '--libtorch')).toThrow(`--libtorch ${folder} holds no libtorch`)
    const cure = 'Name the folder with include/ and lib/, or leave --libtorch out and let setup fetch one.'
    expect(() => namedLibtorch(folder, '--libtorch')).toThrow(expect.objectContaining({ hint: cure }))
  })

  it('refuses a VSGRPO_LIBTORCH that is empty or too old, and says what to do', async () => {
    await expect(findLibtorch(bareEnv({ VSGRPO_LIBTORCH: folder }))).rejects.toThrow(/holds no libtorch/)
    const old = fakeLibtorch(join(folder, 'old'), '1.13.1')
    const failure = findLibtorch(bareEnv({ VSGRPO_LIBTORCH: old }))
    await expect(failure).rejects.toThrow(/1\.13\.1; vsgrpo needs 2\.11\.0/)
    await expect(failure).rejects.toBeInstanceOf(InputError)
  })

  it('takes what was unpacked before, and not half of it', async () => {
    const env = bareEnv()
    expect(await findLibtorch(env)).toBeUndefined()
    const dir = fakeLibtorch(unpackedDir(env), LIBTORCH_VERSION)
    expect(await findLibtorch(env)).toEqual({ dir, version: LIBTORCH_VERSION, source: 'cache' })
    rmSync(join(dir, 'include', 'ATen'), { recursive: true })
    expect(await findLibtorch(env)).toBeUndefined()
  })

  it("takes a Python's torch whatever noise Python prints, unless it is too old", async () => {
    const dir = fakeLibtorch(join(folder, 'torch'), '2.11.0')
    const fake = join(folder, 'python')
    writeFileSync(fake, `#!/bin/sh\necho "warning: noise"\necho "more" >&2\necho ${dir}\n`, { mode: 0o755 })
    const env = bareEnv({ VSGRPO_PYTHON: fake, PATH: process.env.PATH })
    expect(await findLibtorch(env)).toEqual({ dir, version: '2.11.0', source: 'python' })
    fakeLibtorch(dir, '2.10.0')
    expect(await findLibtorch(env)).toBeUndefined()
  })

  it('says on other systems that the engine runs on Linux', () => {
    expect(() => assertPlatform('linux')).not.toThrow()
    expect(() => assertPlatform('darwin')).toThrow(/Linux, not on darwin/)
  })
})

describe('what a torch wheel needs besides', () => {
  it('is nothing for a CPU build', () => {
    expect(nvidiaRequirements('Name: torch\nRequires-Dist: filelock\nRequires-Dist: networkx>=2.5.1\n')).toEqual([])
  })

  it('is the runtime and CUPTI extras of cuda-toolkit for a CUDA 13 build', () => {
    const line = 'Requires-Dist: cuda-toolkit[cublas,cudart,cufft,cupti,nvtx]==13.0.2; platform_system == "Linux"'
    expect(
      nvidiaRequirements(`${line}\nRequires-Dist: nvidia-cudnn-cu13==9.19.0.56; platform_system == "Linux"`),
    ).toEqual(['cuda-toolkit[cudart,cupti]==13.0.2'])
  })

  it('is the two NVIDIA wheels for a CUDA 12 build, and not what is named for extras', () => {
    const metadata = [
      'Requires-Dist: nvidia-cuda-nvrtc-cu12==12.8.93; platform_system == "Linux"',
      'Requires-Dist: nvidia-cuda-runtime-cu12 ==12.8.90; platform_system == "Linux"',
      'Requires-Dist: nvidia-cuda-cupti-cu12==12.8.90; platform_system == "Linux"',
      'Requires-Dist: nvidia-cuda-cupti-cu12==1.0; extra == "profile"',
    ]
    expect(nvidiaRequirements(metadata.join('\r\n'))).toEqual([
      'nvidia-cuda-runtime-cu12==12.8.90',
      'nvidia-cuda-cupti-cu12==12.8.90',
    ])
  })

  it('is taken without the Python parts and without the CUDA libraries', () => {
    const taken = (name: string) => new RegExp(TORCH_MEMBERS).exec(name)?.[1]
    expect(taken('torch/lib/libtorch_cpu.so')).toBe('lib/libtorch_cpu.so')
    expect(taken('torch/lib/libgomp.so.1')).toBe('lib/libgomp.so.1')
    expect(taken('torch/lib/libgomp-a34b3233.so.1')).toBe('lib/libgomp-a34b3233.so.1')
    expect(taken('libtorch/include/ATen/ATen.h')).toBe('include/ATen/ATen.h')
    for (const name of [
      'torch/lib/libtorch_cuda.so',
      'torch/lib/libc10_cuda.so',
      'torch/lib/libtorch_python.so',
      'torch/nn/a.py',
    ]) {
      expect(taken(name)).toBeUndefined()
    }
    expect(new RegExp(NVIDIA_MEMBERS).exec('nvidia/cu13/lib/libcudart.so.13')?.[1]).toBe('lib/libcudart.so.13')
    expect(new RegExp(NVIDIA_MEMBERS).exec('nvidia/cuda_cupti/lib/libcupti.so.12')?.[1]).toBe('lib/libcupti.so.12')
    expect(new RegExp(NVIDIA_MEMBERS).exec('nvidia/cu13/include/cuda.h')).toBeNull()
  })
})

describe('why pip failed', () => {
  it('is named: no network, a full disk, or what pip says last', () => {
    expect(pipFailure('torch', 'WARNING: x\nMax retries exceeded with url').message).toMatch(
      'the network cannot be reached',
    )
    expect(pipFailure('torch', 'OSError: [Errno 28] No space left on device').message).toMatch('the disk is full')
    const failure = pipFailure('torch', 'noise\nERROR: No matching distribution found for torch==2.13.0\n')
    expect(failure.message).toBe('could not fetch torch: No matching distribution found for torch==2.13.0')
    expect(failure.hint).toMatch('VSGRPO_LIBTORCH')
  })
})
