/** The processes that trials run in: ours, the peer's, an executable of the build. All get the same environment. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/**
 * What a trial answers: measurements after the warm-up, and what else it says.
 * @typedef {object} Trial
 * @property {readonly number[]} seconds of each repeat
 * @property {number} peakBytes largest resident size of the process
 * @property {readonly Readonly<Record<string, number>>[]} [phases] seconds of each repeat by phase
 * @property {Readonly<Record<string, string | number>>} [versions]
 */

/**
 * @param {number} threads
 * @returns {(job: object) => Promise<Trial>}
 */
export function oursWorker(threads) {
  return (job) => runJob(process.execPath, join(here, '../ours/worker.mjs'), job, threads)
}

/**
 * @param {string} python
 * @param {number} threads
 * @returns {(job: object) => Promise<Trial>}
 */
export function peerWorker(python, threads) {
  return (job) => runJob(python, join(here, '../peers/worker.py'), job, threads)
}

/** Runs a worker on a job and reads its answer. One that fails ends the benchmark; what it said is shown. */
async function runJob(command, script, job, threads) {
  const scratch = mkdtempSync(join(tmpdir(), 'vsgrpo-bench-'))
  const [input, out] = [join(scratch, 'job.json'), join(scratch, 'result.json')]
  writeFileSync(input, JSON.stringify({ ...job, scratch, out }))
  try {
    await run(command, [script, input], threads)
    return JSON.parse(readFileSync(out, 'utf8'))
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/**
 * Runs `vsgrpo_bench`, which the build makes beside the addon, and reads the last line that it prints as JSON.
 * @param {string} name of the op's benchmark
 * @param {number} threads
 */
export async function runExecutable(name, threads) {
  const file = findExecutable()
  const line = (await run(file, [name], threads)).trimEnd().split('\n').at(-1) ?? ''
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw new Error(`${file} ${name}: expected a line of JSON at the end, got '${line.slice(0, 200)}'`, { cause })
  }
}

/** The place of an executable of the build; made where it is missing, with the settings that the addon was built with. */
export function findExecutable(name = 'vsgrpo_bench') {
  const root = resolve(here, '../..')
  const folder = process.env.VSGRPO_ADDON ? dirname(resolve(process.env.VSGRPO_ADDON)) : join(root, 'build')
  const places = [folder, dirname(folder)].map((dir) => join(dir, name))
  const found = places.find((file) => existsSync(file))
  if (found) return found
  for (const args of [
    ['-DVSGRPO_BENCH=ON', folder],
    ['--build', folder, '--target', name],
  ]) {
    const { status } = spawnSync('cmake', args, { stdio: ['ignore', 'ignore', 'inherit'] })
    if (status !== 0) throw new Error(`[bench] cmake ${args.join(' ')} failed; is the addon built? Run npm run setup`)
  }
  return join(folder, name)
}

/** The same for all. Waiting OpenMP threads sleep, unless the caller says otherwise. */
function environment(threads) {
  return {
    ...process.env,
    OMP_NUM_THREADS: String(threads),
    MKL_NUM_THREADS: String(threads),
    OMP_WAIT_POLICY: process.env.OMP_WAIT_POLICY ?? 'PASSIVE',
    TOKENIZERS_PARALLELISM: 'false',
    HF_HUB_OFFLINE: '1',
  }
}

/**
 * A command's standard output. Throws with the end of what it said when it fails.
 * @returns {Promise<string>}
 */
function run(command, args, threads) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { env: environment(threads), stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let said = ''
    const keep = (text) => {
      said = (said + text).slice(-4000)
    }
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout = (stdout + text).slice(-100_000)
      keep(text)
    })
    child.stderr.setEncoding('utf8').on('data', keep)
    child.on('error', fail)
    child.on('close', (code, signal) => {
      if (code === 0) done(stdout)
      else fail(new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}:\n${said}`))
    })
  })
}
