/**
 * What data costs: a pass over a JSON Lines file of 2 GB and the same file as a dataset (memory must stay flat), the scoring of
 * a file of 5,130 predictions (below 2 s), questions about 1,000 scene records (below 60 s on one core). Each in a fresh
 * process; the limits decide the exit status.
 *
 *   npm run bench -- data [--task stream|index|score|questions] [--bytes 2e9] [--dir FOLDER] [--save]
 *
 * Scene records are VSI-Bench's, five times, where VSGRPO_VSIBENCH_DIR names their folder; else made ones of their size.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writePredictions, writeRows, writeScenes } from './data/inputs.mjs'
import { statusBytes } from './ours/addon.mjs'
import { build, readOptions, report, root } from './rig/record.mjs'

const script = fileURLToPath(import.meta.url)

/** Bytes by which a process may grow between the first tenth of the file and its end, besides 8 for each row of a dataset. */
const flat = 64 * 2 ** 20

/** What each task needs, does, and must keep to. */
const tasks = {
  stream: {
    prepare: (dir, { bytes }) => ({ file: writeRows(join(dir, 'rows.jsonl'), bytes) }),
    measure: streamFile,
    keeps: ({ growthBytes }) => growthBytes < flat,
  },
  index: {
    prepare: (dir, { bytes }) => ({ file: writeRows(join(dir, 'rows.jsonl'), bytes) }),
    measure: indexFile,
    keeps: ({ growthBytes, rows }) => growthBytes < flat + 8 * rows,
  },
  score: {
    prepare: (dir) => ({
      args: ['eval', '--benchmark', 'vsi-bench', ...writePredictions(dir, 5130), '--format', 'json'],
    }),
    measure: runCommand,
    keeps: ({ seconds }) => seconds < 2,
  },
  questions: {
    prepare: (dir) => ({
      args: ['questions', '--scenes', writeScenes(dir, 1000), '--output', join(dir, 'questions.jsonl')],
    }),
    measure: runCommand,
    keeps: ({ cpuSeconds }) => cpuSeconds < 60,
  },
}

/** @param {readonly string[]} args */
export async function main(args) {
  const own = {
    ...{
      task: { type: 'string' },
      bytes: { type: 'string', default: '2e9' },
      dir: { type: 'string', default: tmpdir() },
    },
    ...{ measure: { type: 'string' } },
  }
  const options = readOptions(args, own)
  if (options.measure !== undefined) return measureHere(options.task, options.measure)
  const names = options.task === undefined ? Object.keys(tasks) : [options.task]
  build()
  const results = Object.fromEntries(names.map((name) => [name, measureAfresh(name, options)]))
  report('data', { benchmark: 'data', results }, options)
  if (Object.values(results).some(({ keptLimit }) => !keptLimit)) process.exitCode = 1
}

function measureAfresh(name, options) {
  const task = tasks[name]
  if (task === undefined) throw new Error(`[--task] expected ${Object.keys(tasks).join(', ')}, got '${name}'`)
  const dir = mkdtempSync(join(options.dir, 'vsgrpo-data-'))
  try {
    const result = join(dir, 'result.json')
    const input = join(dir, 'input.json')
    writeFileSync(input, JSON.stringify({ ...task.prepare(dir, { bytes: Number(options.bytes) }), result }))
    const child = spawnSync(process.execPath, [script, '--task', name, '--measure', input], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    if (child.status !== 0) throw new Error(`${name} failed with ${child.status ?? child.signal}`)
    const measured = JSON.parse(readFileSync(result, 'utf8'))
    return { ...measured, keptLimit: task.keeps(measured) }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** In the fresh process: seconds and memory are told when it ends. */
async function measureHere(name, inputFile) {
  const { result, ...input } = JSON.parse(readFileSync(inputFile, 'utf8'))
  const told = {}
  const start = performance.now()
  process.on('exit', () => {
    const { user, system } = process.cpuUsage()
    const seconds = (performance.now() - start) / 1000
    const spent = { seconds, cpuSeconds: (user + system) / 1e6, peakBytes: statusBytes('VmHWM') }
    writeFileSync(result, JSON.stringify({ ...told, ...spent }))
  })
  Object.assign(told, await tasks[name].measure(input))
}

async function streamFile({ file }) {
  const { streamJsonl } = await import('../dist/data/index.js')
  let rows = 0
  return memoryOver(file, async (tell) => {
    for await (const _row of streamJsonl(file)) tell(++rows)
    return { rows }
  })
}

/** Opens the file as a dataset, then reads every thousandth row. */
async function indexFile({ file }) {
  const { indexedJsonl } = await import('../dist/data/index.js')
  return memoryOver(file, async (tell) => {
    const data = indexedJsonl(file)
    for (let row = 0; row < data.length; row += 1000) {
      data.get(row)
      tell(row)
    }
    return { rows: data.length }
  })
}

/** The largest resident size at the beginning (an eighth of a gigabyte of rows) and at the end. */
async function memoryOver(file, read) {
  const warm = 128_000
  let early = statusBytes('VmHWM')
  const { rows } = await read((row) => {
    if (row === warm) early = statusBytes('VmHWM')
  })
  const { size } = (await import('node:fs')).statSync(file)
  return { fileBytes: size, rows, growthBytes: statusBytes('VmHWM') - early }
}

/** The command line itself, in this process. */
async function runCommand({ args }) {
  process.argv = [process.execPath, resolve(root, 'dist/cli/main.js'), ...args]
  await import('../dist/cli/main.js')
  return {}
}

if (process.argv[1] && resolve(process.argv[1]) === script) await main(process.argv.slice(2))
