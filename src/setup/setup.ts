/** `vsgrpo setup`: finds or fetches libtorch, builds the addon, loads it once. What is current already is left alone. */
import { VsgrpoError } from '../errors.js'
import { buildAddon, buildTests } from './build.js'
import { fetchLibtorch } from './fetch-libtorch.js'
import { assertPlatform, findLibtorch, type Libtorch } from './libtorch.js'
import { packageRoot } from './paths.js'
import { run, tail } from './run.js'

export interface SetupOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Also build the native tests. */
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
  const { env = process.env, log = () => {}, progress = () => {} } = options
  assertPlatform()
  const root = packageRoot()
  const clock = timer()
  const found = await findLibtorch(env)
  if (!found) log('libtorch: none found, fetching it')
  const libtorch = found ?? (await fetchLibtorch({ env, log: progress }))
  log(`libtorch ${libtorch.version} ${found ? `from ${libtorch.source}` : 'fetched'}: ${libtorch.dir} (${clock()})`)

  const { file, built } = await buildAddon({ root, libtorch, env, log: progress })
  if (built) await tryLoading(file, env)
  log(`addon ${built ? 'built' : 'is current'}: ${file} (${clock()})`)
  if (!options.tests) return { addon: file, libtorch, changed: built || !found }

  const tests = await buildTests({ root, libtorch, env, log: progress })
  log(`native tests built: ${tests} (${clock()})`)
  return { addon: file, tests, libtorch, changed: built || !found }
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
