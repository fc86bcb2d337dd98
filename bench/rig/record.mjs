/** What a result says besides its numbers, where it is written, and the command line that all benchmarks share. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bootstrap } from '../../src/setup/bootstrap.mjs'
import { loadAddon } from '../ours/addon.mjs'
import { medianOfEach, summarise } from './statistics.mjs'
import { forgetTrials } from './trials.mjs'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

const ompWaitPolicy = process.env.OMP_WAIT_POLICY ?? 'PASSIVE'

/** Options that every benchmark takes. */
const shared = {
  json: { type: 'string' },
  save: { type: 'boolean' },
  fresh: { type: 'boolean' },
  trials: { type: 'string', default: '3' },
  warmup: { type: 'string', default: '1' },
  steps: { type: 'string', default: '3' },
  threads: { type: 'string', default: '2' },
  dtype: { type: 'string', default: 'auto' },
}

/**
 * The command line's values, counts as numbers. Unknown options throw.
 * @param {readonly string[]} args
 * @param {import('node:util').ParseArgsConfig['options']} [own] the benchmark's own options
 */
export function readOptions(args, own = {}) {
  const { values } = parseArgs({ args: [...args], options: { ...shared, ...own } })
  for (const name of ['trials', 'warmup', 'steps', 'threads']) {
    const value = Number(values[name])
    if (!Number.isInteger(value) || value < 1) {
      throw new Error(`[--${name}] expected an integer >= 1, got '${values[name]}'`)
    }
    values[name] = value
  }
  const { dtype } = values
  if (!['auto', 'bfloat16', 'float32'].includes(dtype))
    throw new Error(`[--dtype] expected auto, bfloat16 or float32, got '${dtype}'`)
  return values
}

/**
 * What weights and arithmetic are in on both sides. auto: bfloat16 where the processor multiplies it, as loadModel chooses, since
 * the peers are faster in float32 elsewhere.
 * @param {{ dtype: string }} options
 */
export function dtypeOf({ dtype }) {
  if (dtype !== 'auto') return dtype
  return loadAddon().buildInfo().bfloat16 ? 'bfloat16' : 'float32'
}

/** Builds what our side runs, unless VSGRPO_ADDON names a build of the addon. */
export function build() {
  if (!process.env.VSGRPO_ADDON) bootstrap()
}

/** The commit, and a digest of what differs from it in the code that is measured. */
function revision() {
  const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 }).stdout ?? ''
  // A machine that the tree was carried to has no repository; what carried it says what it was.
  const commit = git('rev-parse', 'HEAD').trim() || process.env.VSGRPO_COMMIT || 'unknown'
  const measured = ['src', 'native', 'CMakeLists.txt', 'bench/ours', 'bench/peers']
  const changes =
    git('diff', 'HEAD', '--', ...measured) + git('ls-files', '--others', '--exclude-standard', ...measured)
  return { commit, ...(changes ? { changes: createHash('sha256').update(changes).digest('hex').slice(0, 12) } : {}) }
}

/**
 * What must be equal for trials to be comparable: the code and the circumstances that the workers get.
 * @param {number} threads
 */
export function identity(threads) {
  return { ...revision(), threads, ompWaitPolicy, processor: cpus()[0]?.model, addon: process.env.VSGRPO_ADDON }
}

/**
 * One side's figures from its trials.
 * @param {readonly import('./workers.mjs').Trial[]} trials
 */
export function figures(trials) {
  const { median, ...spread } = summarise(trials.map(({ seconds }) => seconds))
  const peaks = summarise(trials.map(({ peakBytes }) => [peakBytes]))
  const phases = trials.flatMap((trial) => trial.phases ?? [])
  return {
    seconds: median,
    spread,
    peakBytes: peaks.median,
    ...(phases.length > 0 ? { byPhase: medianOfEach(phases) } : {}),
    versions: trials[0]?.versions,
    trials,
  }
}

/**
 * Prints a result and writes it where the command line says; one in float32 to a file of its own.
 * @param {string} name of the file in bench/results that --save writes
 * @param {object} result
 * @param {{ json?: string, save?: boolean, threads: number }} options
 */
export function report(name, result, { json, save, threads }) {
  const text = `${JSON.stringify({ ...result, ...circumstances(threads) }, null, 2)}\n`
  process.stdout.write(text)
  const saved = `${name}${result.dtype === 'float32' ? '-float32' : ''}.json`
  const files = [...(json ? [resolve(json)] : []), ...(save ? [join(root, 'bench/results', saved)] : [])]
  for (const file of files) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  forgetTrials()
}

function circumstances(threads) {
  return {
    machine: {
      processor: cpus()[0]?.model,
      cores: cpus().length,
      threads,
      memoryBytes: totalmem(),
      system: `${process.platform} ${release()}`,
      node: process.version,
      ompWaitPolicy,
      loadAverage: loadavg()[0],
    },
    ...revision(),
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
    date: new Date().toISOString().slice(0, 10),
  }
}
