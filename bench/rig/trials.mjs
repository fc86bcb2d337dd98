/**
 * Runs trials: each one a fresh process, the sides in turn. What is finished is kept in a file, so that an interrupted
 * benchmark goes on where it stopped when the same command is given again.
 */
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDir } from './inputs.mjs'

/** @typedef {import('./workers.mjs').Trial} Trial */

/** Files of finished trials that this process goes on from or writes. */
const kept = new Set()

/**
 * @typedef {object} Side
 * @property {string} name
 * @property {object} job what the worker is told
 * @property {(job: object) => Promise<Trial>} run
 * @property {boolean} [mayFail] a failure ends this side's trials only, and it is left out of the result
 */

/**
 * The trials of each side by name, in order.
 * @param {readonly Side[]} sides run in this order, again and again
 * @param {object} options
 * @param {number} options.trials of each side
 * @param {object} options.identity what must be equal, besides the jobs, for finished trials to count
 * @param {boolean} [options.fresh] forgets finished trials
 * @param {string} [options.folder] where finished trials are kept (default: in the cache)
 * @param {(text: string) => void} [options.log] default: standard error
 * @returns {Promise<Record<string, Trial[]>>}
 */
export async function runTrials(sides, options) {
  const {
    trials,
    identity,
    fresh,
    folder = join(cacheDir(), 'partial'),
    log = (text) => process.stderr.write(text),
  } = options
  const file = partialFile(folder, { jobs: sides.map(({ name, job }) => [name, job]), identity })
  if (fresh) rmSync(file, { force: true })
  kept.add(file)
  const done = readPartial(file)
  if (done.size > 0) log(`${done.size} trials are finished already; --fresh forgets them\n`)
  const failed = new Set()
  for (let trial = 0; trial < trials; trial++) {
    for (const { name, job, run, mayFail = false } of sides) {
      const key = `${name} ${trial}`
      if (done.has(key) || failed.has(name)) continue
      log(`${name}, trial ${trial + 1} of ${trials} … `)
      const result = await run(job).catch((error) => {
        if (!mayFail) throw error
        log(`failed: ${error.message}\n`)
        failed.add(name)
      })
      if (!result) continue
      log(`${result.seconds.map((seconds) => seconds.toPrecision(3)).join(' ')} s\n`)
      done.set(key, result)
      appendFileSync(file, `${JSON.stringify({ key, result })}\n`)
    }
  }
  const ofSide = (name) => Array.from({ length: trials }, (_, trial) => done.get(`${name} ${trial}`))
  return Object.fromEntries(sides.filter(({ name }) => !failed.has(name)).map(({ name }) => [name, ofSide(name)]))
}

/** Once a benchmark has reported, its trials are done with: the same command measures anew. */
export function forgetTrials() {
  for (const file of kept) rmSync(file, { force: true })
  kept.clear()
}

/** One file per plan: other jobs, threads or commits do not mix. */
function partialFile(folder, plan) {
  const id = createHash('sha256').update(JSON.stringify(plan)).digest('hex').slice(0, 12)
  mkdirSync(folder, { recursive: true })
  return join(folder, `${id}.jsonl`)
}

/**
 * A line that was cut off by an interruption does not count, and goes.
 * @returns {Map<string, Trial>}
 */
function readPartial(file) {
  if (!existsSync(file)) return new Map()
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
  return new Map(lines.map((line) => JSON.parse(line)).map(({ key, result }) => [key, result]))
}
