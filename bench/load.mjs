/**
 * How much memory and time loading a checkpoint of Qwen2-VL-2B's size takes: writes random bfloat16 weights in its shapes
 * (4.4 GB), loads them frozen in a fresh process, and removes them. Prints JSON; `--save` also keeps it in bench/results.
 *
 *   node bench/load.mjs [--dir FOLDER] [--save]      FOLDER needs 4.5 GB, by default the system's temporary folder
 *
 * peakOverSize is the process's largest resident size (VmHWM, mapped pages and Node itself included) over the file's size.
 */
import { spawnSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, loadavg, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bootstrap } from '../src/setup/bootstrap.mjs'

const script = fileURLToPath(import.meta.url)
const root = resolve(dirname(script), '..')
const LIMIT = 1.1

/** config.json of Qwen2-VL-2B-Instruct, what the engine reads of it. */
const config = {
  model_type: 'qwen2_vl',
  hidden_size: 1536,
  num_hidden_layers: 28,
  num_attention_heads: 12,
  num_key_value_heads: 2,
  intermediate_size: 8960,
  vocab_size: 151936,
  max_position_embeddings: 32768,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000,
  rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] },
  tie_word_embeddings: true,
  image_token_id: 151655,
  video_token_id: 151656,
  vision_config: { depth: 32, embed_dim: 1280, num_heads: 16, mlp_ratio: 4, in_channels: 3, patch_size: 14 },
}

/** Name and shape of every tensor, in the published order of modules. */
function* tensors() {
  const { hidden_size: hidden, intermediate_size: wide, vision_config: vision } = config
  const kv = (hidden / config.num_attention_heads) * config.num_key_value_heads
  yield ['model.embed_tokens.weight', [config.vocab_size, hidden]]
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const name = `model.layers.${i}.`
    for (const norm of ['input_layernorm', 'post_attention_layernorm']) yield [`${name}${norm}.weight`, [hidden]]
    yield* linear(`${name}self_attn.q_proj`, hidden, hidden)
    yield* linear(`${name}self_attn.k_proj`, kv, hidden)
    yield* linear(`${name}self_attn.v_proj`, kv, hidden)
    yield [`${name}self_attn.o_proj.weight`, [hidden, hidden]]
    for (const half of ['gate_proj', 'up_proj']) yield [`${name}mlp.${half}.weight`, [wide, hidden]]
    yield [`${name}mlp.down_proj.weight`, [hidden, wide]]
  }
  yield ['model.norm.weight', [hidden]]
  const width = vision.embed_dim
  yield ['visual.patch_embed.proj.weight', [width, 3, 2, 14, 14]]
  for (let i = 0; i < vision.depth; i++) {
    const name = `visual.blocks.${i}.`
    for (const norm of ['norm1', 'norm2']) yield* affine(name + norm, width)
    yield* linear(`${name}attn.qkv`, 3 * width, width)
    yield* linear(`${name}attn.proj`, width, width)
    yield* linear(`${name}mlp.fc1`, 4 * width, width)
    yield* linear(`${name}mlp.fc2`, width, 4 * width)
  }
  yield* affine('visual.merger.ln_q', width)
  yield* linear('visual.merger.mlp.0', 4 * width, 4 * width)
  yield* linear('visual.merger.mlp.2', hidden, 4 * width)
}

function* linear(name, out, width) {
  yield [`${name}.weight`, [out, width]]
  yield [`${name}.bias`, [out]]
}

function* affine(name, width) {
  for (const part of ['weight', 'bias']) yield [`${name}.${part}`, [width]]
}

/** Random bytes fill the file page by page; only where they come from repeats. */
function writeCheckpoint(dir) {
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config))
  const header = { __metadata__: { format: 'pt' } }
  let end = 0
  for (const [name, shape] of tensors()) {
    const begin = end
    end += 2 * shape.reduce((product, size) => product * size, 1)
    header[name] = { dtype: 'BF16', shape, data_offsets: [begin, end] }
  }
  const json = JSON.stringify(header)
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const block = randomFillSync(Buffer.alloc(32 << 20))
  const file = openSync(join(dir, 'model.safetensors'), 'w')
  try {
    for (const part of [length, text]) writeSync(file, part)
    for (let left = end; left > 0; ) left -= writeSync(file, block, 0, Math.min(left, block.length))
  } finally {
    closeSync(file)
  }
}

function status(field) {
  const [, kilobytes] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return 1024 * Number(kilobytes)
}

/** In the fresh process: loads and reports. */
async function measure(dir) {
  const require = createRequire(import.meta.url)
  process.env.OMP_WAIT_POLICY ??= 'PASSIVE'
  const addon = require(
    process.env.VSGRPO_ADDON ? resolve(process.env.VSGRPO_ADDON) : require('node-gyp-build').path(root),
  )
  const before = status('VmHWM')
  let mappedPeak = 0
  const sampler = setInterval(() => {
    mappedPeak = Math.max(mappedPeak, status('RssFile'))
  }, 5)
  const start = performance.now()
  const model = await addon.Model.load(dir, { dtype: 'bfloat16', trainable: false, freezeVision: true })
  const seconds = (performance.now() - start) / 1000
  clearInterval(sampler)
  const sizes = {
    baselineBytes: before,
    peakBytes: status('VmHWM'),
    residentBytes: status('VmRSS'),
    mappedPeakBytes: mappedPeak,
  }
  model.dispose()
  console.log(JSON.stringify({ ...sizes, seconds, ...addon.buildInfo() }))
}

function main({ dir: parent = tmpdir(), save }) {
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

const options = { dir: { type: 'string' }, save: { type: 'boolean' }, measure: { type: 'string' } }
const { values } = parseArgs({ options })
if (values.measure) await measure(values.measure)
else main(values)
