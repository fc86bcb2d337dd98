/**
 * `vsgrpo setup`: finds or fetches libtorch, builds the addon, loads it once. What is current already is left alone. With `cuda`
 * the same for a libtorch with CUDA, in a build of its own beside the CPU's.
 */
import { VsgrpoError } from '../errors.js'
import { buildAddon, buildTests } from './build.js'
import { findCudaLibtorch, findNvcc, nvccLine } from './cuda.js'
import { fetchCudaLibtorch } from './fetch-cuda.js'
import { fetchLibtorch } from './fetch-libtorch.js'
import { assertPlatform, findLibtorch, type Libtorch, namedLibtorch } from './libtorch.js'
import { packageRoot } from './paths.js'
import { run, tail } from './run.js'

export interface SetupOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Build for CUDA. Default false. */
  readonly cuda?: boolean
  /** Use this libtorch; goes over VSGRPO_LIBTORCH. */
  readonly libtorch?: string
  /** Also build the native tests; with `cuda` those that need a GPU. */
  readonly tests?: boolean
  /** What has been done, one line each. */
  readonly log?: (line: string) => void
  /** What is going on inside a long step. */
  readonly progress?: (line: string) => void
}

export interface SetupResult {
  readonly addon: string
  /** The native tests' executable, when asked for. */
  readonly tests?: string
  readonly libtorch: Libtorch
  /** false: nothing had to be done. */
  readonly changed: boolean
}

export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  const { cuda = false, log = () => {}, progress = () => {} } = options
  const env = environment(options)
  assertPlatform()
  if (options.libtorch !== undefined) namedLibtorch(options.libtorch, '--libtorch')
  const root = packageRoot()
  const clock = timer()
  // Before libtorch is fetched: without a compiler that would be for nothing.
  const nvcc = cuda ? await findNvcc(env) : undefined
  if (nvcc) log(nvccLine(nvcc, env))
  const found = await (cuda ? findCudaLibtorch(env) : findLibtorch(env))
  if (!found) log(cuda ? 'libtorch for CUDA: none found, fetching it (2.6 GB)' : 'libtorch: none found, fetching it')
  const libtorch = found ?? (await (cuda ? fetchCudaLibtorch : fetchLibtorch)({ env, log: progress }))
  log(
    `libtorch ${libtorch.version} ${found ? `from ${options.libtorch === undefined ? libtorch.source : '--libtorch'}` : 'fetched'}: ${libtorch.dir} (${clock()})`,
  )

  const build = { root, libtorch, nvcc, env, log: progress }
  const { file, built } = await buildAddon(build)
  if (built) await tryLoading(file, env)
  log(`addon ${built ? 'built' : 'is current'}: ${file} (${clock()})`)
  if (!options.tests) return { addon: file, libtorch, changed: built || !found }

  const tests = await buildTests(build)
  log(`native tests built: ${tests} (${clock()})`)
  return { addon: file, tests, libtorch, changed: built || !found }
}

function environment({ env = process.env, libtorch }: SetupOptions): NodeJS.ProcessEnv {
  return libtorch === undefined ? env : { ...env, VSGRPO_LIBTORCH: libtorch }
}

/** In a process of its own, so that a broken build cannot take this one down. */
async function tryLoading(file: string, env: NodeJS.ProcessEnv): Promise<void> {
  const { code, output } = await run(process.execPath, ['-e', `require(${JSON.stringify(file)}).buildInfo()`], { env })
  if (code === 0) return
  const reason = output.split('\n').find((line) => /error/i.test(line)) ?? tail(output, 1)
  throw new VsgrpoError(`the addon was built but cannot be loaded: ${reason.trim()}`, {
    code: 'ERR_VSGRPO_SETUP',
    hint: 'Delete the build folder and run `npx vsgrpo setup` again; `npx vsgrpo doctor` says what else is missing.',
    cause: new Error(output),
  })
}

/** Seconds since the last call, as text. */
function timer(): () => string {
  let last = performance.now()
  return () => {
    const now = performance.now()
    const seconds = (now - last) / 1000
    last = now
    return `${seconds.toFixed(1)} s`
  }
}
