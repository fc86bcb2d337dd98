/** `vsgrpo doctor`: what is there and what is missing, each with the command that fixes it. */
import { messageOf } from '../errors.js'
import { ffmpegCommand } from '../ffmpeg.js'
import { addonFile, loadAddon } from './addon.js'
import { buildFlags } from './build.js'
import type { Check } from './check.js'
import { checkCuda } from './doctor-cuda.js'
import { findLibtorch, isAtLeast, python } from './libtorch.js'
import { packageRoot } from './paths.js'
import { run } from './run.js'
import { expectedStamp, readStamp } from './stamp.js'
import { cudaAddon } from './variants.js'

const SETUP = 'npx vsgrpo setup'

/** Looks at everything; never throws. */
export async function diagnose(env: NodeJS.ProcessEnv = process.env): Promise<Check[]> {
  const addon = checkAddon(env)
  return [
    checkNode(process.versions.node),
    await checkProgram('cmake', 'cmake', { env, cure: 'sudo apt-get install cmake' }),
    await checkProgram('C++ compiler', 'c++', { env, cure: 'sudo apt-get install g++' }),
    await checkMake(env),
    await checkPip(env),
    await checkLibtorch(env),
    await checkBuild(env),
    addon,
    await checkCuda(env),
    await checkProgram('ffmpeg', ffmpegCommand(env), {
      env,
      version: '-version',
      cure: 'sudo apt-get install ffmpeg   (only video files need it; frame lists do not)',
      optional: true,
    }),
  ]
}

export function checkNode(version: string): Check {
  const ok = isAtLeast(version, '20.19.0')
  return { name: 'node', ok, detail: version, cure: 'install Node 20.19 or newer (https://nodejs.org)' }
}

interface Program {
  readonly env: NodeJS.ProcessEnv
  readonly cure: string
  readonly version?: string
  readonly optional?: boolean
}

async function checkProgram(name: string, command: string, program: Program): Promise<Check> {
  const { code, stdout } = await run(command, [program.version ?? '--version'], { env: program.env })
  const detail = code === 0 ? (stdout.split('\n')[0] ?? '').trim() : `${command} is not on PATH`
  return { name, ok: code === 0, detail, cure: program.cure, optional: program.optional ?? false }
}

async function checkMake(env: NodeJS.ProcessEnv): Promise<Check> {
  const options = { env, cure: 'sudo apt-get install ninja-build' }
  const ninja = await checkProgram('ninja or make', 'ninja', options)
  return ninja.ok ? { ...ninja, detail: `ninja ${ninja.detail}` } : checkProgram('ninja or make', 'make', options)
}

/** pip is only the way to fetch libtorch: where a libtorch is there, it may be missing. */
async function checkPip(env: NodeJS.ProcessEnv): Promise<Check> {
  const { code, stdout } = await run(python(env), ['-m', 'pip', '--version'], { env })
  const detail = code === 0 ? stdout.trim() : `${python(env)} with pip is not on PATH`
  const cure = 'sudo apt-get install python3-pip   (fetches libtorch; or set VSGRPO_LIBTORCH)'
  return { name: 'python with pip', ok: code === 0, detail, cure, optional: await hasLibtorch(env) }
}

async function hasLibtorch(env: NodeJS.ProcessEnv): Promise<boolean> {
  return (await checkLibtorch(env)).ok
}

async function checkLibtorch(env: NodeJS.ProcessEnv): Promise<Check> {
  try {
    const found = (await findLibtorch(env)) ?? libtorchForCuda(env)
    const detail = found ? `${found.version} in ${found.dir}` : 'none found'
    return { name: 'libtorch', ok: found !== undefined, detail, cure: SETUP }
  } catch (error) {
    return { name: 'libtorch', ok: false, detail: messageOf(error), cure: 'correct or unset VSGRPO_LIBTORCH' }
  }
}

/** Where there is no build but that for CUDA, its libtorch serves the CPU too. */
function libtorchForCuda(env: NodeJS.ProcessEnv): { dir: string; version: string } | undefined {
  const addon = cudaAddon(packageRoot(), env)
  return addon === undefined ? undefined : readStamp(addon)?.libtorch
}

/** An addon that was built from other sources, or for another libtorch, is out of date. */
async function checkBuild(env: NodeJS.ProcessEnv): Promise<Check> {
  const check = { name: 'build', cure: SETUP }
  try {
    const root = packageRoot()
    const libtorch = await findLibtorch(env)
    const file = addonFile(root, env)
    const stamp = readStamp(file)
    if (file === cudaAddon(root, env)) return { ...check, ok: true, detail: 'the one for CUDA' }
    if (env.VSGRPO_ADDON) return { ...check, ok: true, detail: `chosen by VSGRPO_ADDON: ${env.VSGRPO_ADDON}` }
    if (!stamp) return { ...check, ok: false, detail: 'unfinished' }
    if (!libtorch) return { ...check, ok: false, detail: 'its libtorch is gone' }
    const current = expectedStamp(root, libtorch, buildFlags(env)).hash === stamp.hash
    return { ...check, ok: current, detail: current ? 'current' : 'out of date: sources or libtorch have changed' }
  } catch (error) {
    return { ...check, ok: false, detail: messageOf(error) }
  }
}

function checkAddon(env: NodeJS.ProcessEnv): Check {
  try {
    const file = addonFile(packageRoot(), env)
    loadAddon()
    return { name: 'addon', ok: true, detail: `loads: ${file}`, cure: SETUP }
  } catch (error) {
    return { name: 'addon', ok: false, detail: messageOf(error), cure: SETUP }
  }
}

/** One line each: "ok       cmake      cmake version 3.25.1". */
export function formatChecks(checks: readonly Check[]): string {
  const width = Math.max(...checks.map((check) => check.name.length))
  return checks
    .map((check) => {
      const state = check.ok ? 'ok' : check.optional ? 'optional' : 'missing'
      const line = `${state.padEnd(8)}  ${check.name.padEnd(width)}  ${check.detail}`
      return check.ok || !check.cure ? line : `${line}\n${' '.repeat(12 + width)}fix: ${check.cure}`
    })
    .join('\n')
}
