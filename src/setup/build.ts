/**
 * Builds the addon, and the native tests when asked, with cmake-js; does nothing when the stamp says so. For CUDA: the addon, the
 * kernels and what calls them, in a folder of their own.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { VsgrpoError } from '../errors.js'
import { acquireLock, releaseLock } from '../process-lock.js'
import { cudaOf, type Nvcc } from './cuda.js'
import type { Libtorch } from './libtorch.js'
import { writableBuildDir } from './paths.js'
import { run, tail } from './run.js'
import { expectedStamp, readStamp, stampFile } from './stamp.js'
import { addonIn, variantDir, variantName } from './variants.js'

/** A translation unit that includes libtorch takes about this much memory to compile. */
const BYTES_PER_JOB = 1.2e9

export interface BuildOptions {
  readonly root: string
  readonly libtorch: Libtorch
  /** Builds for CUDA with this compiler; absent: for the CPU. */
  readonly nvcc?: Nvcc
  readonly env?: NodeJS.ProcessEnv
  readonly log?: (line: string) => void
}

export interface BuildResult {
  readonly file: string
  /** false: everything was current. */
  readonly built: boolean
}

/** Builds `build/Release/vsgrpo.node`, or, for CUDA, everything in `build/cuda-…/Release`. */
export async function buildAddon(options: BuildOptions): Promise<BuildResult> {
  const { root, libtorch, nvcc, env = process.env } = options
  const dir = buildDir(options)
  const file = addonIn(dir)
  const stamp = expectedStamp(root, libtorch, buildFlags(env, nvcc))
  if (readStamp(file)?.hash === stamp.hash) return { file, built: false }
  await locked(dir, async () => {
    if (readStamp(file)?.hash === stamp.hash) return
    rmSync(stampFile(file), { force: true })
    await cmake(options, dir, nvcc ? 'all' : 'vsgrpo', [])
    writeFileSync(stampFile(file), `${JSON.stringify(stamp, null, 2)}\n`)
  })
  return { file, built: true }
}

/** Builds the native tests beside the addon, from the same objects, and returns the executable's path; for CUDA, the GPU's. */
export async function buildTests(options: BuildOptions): Promise<string> {
  const dir = buildDir(options)
  const target = options.nvcc ? 'vsgrpo_gpu_tests' : 'vsgrpo_tests'
  await locked(dir, () => cmake(options, dir, target, ['-DVSGRPO_TESTS=ON']))
  return join(dir, target)
}

function buildDir({ root, libtorch, nvcc, env = process.env }: BuildOptions): string {
  if (!nvcc) return writableBuildDir(root, env)
  return variantDir(root, env, variantName(libtorch.version, cudaOf(libtorch.dir) ?? 0))
}

/**
 * What the build depends on besides sources and libtorch. VSGRPO_NATIVE_ARCH=0 in the environment compiles for any x86-64-v3.
 */
export function buildFlags(env: NodeJS.ProcessEnv, nvcc?: Nvcc): string[] {
  const arch = `-DVSGRPO_NATIVE_ARCH=${env.VSGRPO_NATIVE_ARCH === '0' ? 'OFF' : 'ON'}`
  return nvcc ? [arch, '-DVSGRPO_CUDA=ON', `-DCMAKE_CUDA_COMPILER=${nvcc.file}`] : [arch]
}

async function cmake(options: BuildOptions, dir: string, target: string, extra: readonly string[]): Promise<void> {
  const { root, libtorch, nvcc, env = process.env, log = () => {} } = options
  await requireTools(env)
  const jobs = String(Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / BYTES_PER_JOB))))
  const tool = join(dirname(createRequire(import.meta.url).resolve('cmake-js/package.json')), 'bin', 'cmake-js')
  const common = ['--directory', root, '--out', dir, '--config', 'Release']
  const definitions = [`-DVSGRPO_LIBTORCH=${libtorch.dir}`, ...buildFlags(env, nvcc), ...extra].map((flag) =>
    flag.replace(/^-D/, '--CD'),
  )
  await step([tool, 'configure', ...common, ...definitions])
  await step([tool, 'build', ...common, '--target', target, '--parallel', jobs])

  async function step(args: string[]): Promise<void> {
    const onLine = (line: string): void => {
      if (/^\[ *\d+(%|\/\d+)\]/.test(line)) log(line)
    }
    const result = await run(process.execPath, args, { cwd: root, env, onLine })
    if (result.code !== 0) throw buildFailure(result.output, dir)
  }
}

/** The compiler's own message is the cause; it goes into the error in full length up to the first few errors. */
export function buildFailure(output: string, dir: string): VsgrpoError {
  const text = output.toLowerCase()
  const errors = output.split('\n').filter((line) => /\berror\b[ :]/i.test(line) && !/^\s*(npm|ERR!)/.test(line))
  const shown = errors.length > 0 ? errors.slice(0, 5).join('\n') : tail(output, 10)
  const full = text.includes('no space left on device')
  const memory = /killed signal|cannot allocate memory|out of memory/.test(text)
  const reason = full ? 'the disk is full' : memory ? 'the compiler ran out of memory' : `\n${shown}`
  const hint = full
    ? `Make 1.5 GB of room for ${dir}.`
    : memory
      ? 'Give it 2 GB of memory and run it again.'
      : `Delete ${dir} and run it again; if the error stays, report it with this output.`
  return new VsgrpoError(`building the addon failed: ${reason}`, {
    code: 'ERR_VSGRPO_SETUP',
    hint,
    cause: new Error(tail(output, 60)),
  })
}

async function requireTools(env: NodeJS.ProcessEnv): Promise<void> {
  const tools = [
    ['cmake', 'cmake'],
    ['c++', 'g++'],
  ] as const
  for (const [command, debian] of tools) {
    if ((await run(command, ['--version'], { env })).code === 0) continue
    throw new VsgrpoError(`${command} was not found; it builds the addon`, {
      code: 'ERR_VSGRPO_SETUP',
      hint: `Install it: sudo apt-get install ${debian}`,
    })
  }
  const make =
    (await run('ninja', ['--version'], { env })).code === 0 || (await run('make', ['--version'], { env })).code === 0
  if (make) return
  throw new VsgrpoError('neither ninja nor make was found; one of them builds the addon', {
    code: 'ERR_VSGRPO_SETUP',
    hint: 'Install one: sudo apt-get install ninja-build',
  })
}

/** Two builds in one folder would tear each other's files; the second waits for the first. */
async function locked(dir: string, work: () => Promise<void>): Promise<void> {
  mkdirSync(dir, { recursive: true })
  const lock = join(dir, 'setup.lock')
  while (!acquireLock(lock)) await new Promise((resolve) => setTimeout(resolve, 500))
  try {
    await work()
  } finally {
    releaseLock(lock)
  }
}
