/**
 * How much memory and time loading a checkpoint of Qwen2-VL-2B's size takes: writes random bfloat16 weights in its shapes
 * (4.4 GB), loads them frozen in a fresh process, and removes them. Prints JSON; `--save` also keeps it in bench/results.
 *
 *   node bench/load.mjs [--dir FOLDER] [--save]      FOLDER needs 4.5 GB, by default the system's temporary folder
 *
 * peakOverSize is the process's largest resident size (VmHWM, Node itself included) over the file's size.
 */
import { spawnSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bootstrap } from '../src/setup/bootstrap.mjs'
import { loadAddon, statusBytes } from './ours/addon.mjs'
import { configOf, tensors, writeSafetensors } from './rig/checkpoint.mjs'

const script = fileURLToPath(import.meta.url)
const root = resolve(dirname(script), '..')
const LIMIT = 1.1

/** Qwen2-VL-2B-Instruct. */
const sizes = {
  hidden: 1536,
  layers: 28,
  heads: 12,
  kvHeads: 2,
  intermediate: 8960,
  vocabulary: 151936,
  tied: true,
  vision: { depth: 32, width: 1280, heads: 16 },
}

/** Random bytes fill the file page by page; only where they come from repeats. */
function writeCheckpoint(dir) {
  writeFileSync(join(dir, 'config.json'), JSON.stringify(configOf(sizes)))
  const block = randomFillSync(Buffer.alloc(32 << 20))
  writeSafetensors(join(dir, 'model.safetensors'), tensors(sizes), function* fill(_name, _shape, count) {
    for (let left = 2 * count; left > 0; left -= block.length) yield block.subarray(0, Math.min(left, block.length))
  })
}

/** In the fresh process: loads and reports. */
async function measure(dir) {
  const addon = loadAddon()
  const before = statusBytes('VmHWM')
  const start = performance.now()
  const model = await addon.Model.load(dir, { dtype: 'bfloat16', trainable: false, freezeVision: true })
  const seconds = (performance.now() - start) / 1000
  const memory = {
    baselineBytes: before,
    peakBytes: statusBytes('VmHWM'),
    residentBytes: statusBytes('VmRSS'),
  }
  model.dispose()
  console.log(JSON.stringify({ ...memory, seconds, ...addon.buildInfo() }))
}

/** @param {readonly string[]} args */
export async function main(args) {
  const options = { dir: { type: 'string' }, save: { type: 'boolean' }, measure: { type: 'string' } }
  const { dir: parent = tmpdir(), save, measure: folder } = parseArgs({ args: [...args], options }).values
  if (folder !== undefined) await measure(folder)
  else compare(parent, save)
}

/** Loads in a fresh process, and holds its peak against the file's size. */
function compare(parent, save) {
  if (!process.env.VSGRPO_ADDON) bootstrap()
  const dir = mkdtempSync(join(parent, 'vsgrpo-load-'))
  try {
    writeCheckpoint(dir)
    const bytes = statSync(join(dir, 'model.safetensors')).size
    const child = spawnSync(process.execPath, [script, '--measure', dir], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (child.status !== 0) throw new Error(`loading failed with ${child.status ?? child.signal}`)
    const measured = JSON.parse(child.stdout)
    const ratio = measured.peakBytes / bytes
    const machine = {
      date: new Date().toISOString().slice(0, 10),
      processor: cpus()[0]?.model,
      node: process.version,
      loadAverage: loadavg()[0],
    }
    const result = {
      checkpointBytes: bytes,
      ...measured,
      peakOverSize: Number(ratio.toFixed(4)),
      limit: LIMIT,
      ...machine,
    }
    console.log(JSON.stringify(result, null, 2))
    if (save) {
      mkdirSync(join(root, 'bench/results'), { recursive: true })
      writeFileSync(join(root, 'bench/results/load.json'), `${JSON.stringify(result, null, 2)}\n`)
    }
    process.exitCode = ratio < LIMIT ? 0 : 1
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

if (process.argv[1] && resolve(process.argv[1]) === script) await main(process.argv.slice(2))
