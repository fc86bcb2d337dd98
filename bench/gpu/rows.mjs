/** The rows of the table in README.md, each a function from its options to a result. */
import { peerPython } from '../peers/python.mjs'
import { best, checkpointingWays, duel, isPeer, ratioOf } from '../rig/duel.mjs'
import { checkpointDir, rowsFile } from '../rig/inputs.mjs'
import { identity } from '../rig/record.mjs'
import { median } from '../rig/statistics.mjs'
import { runTrials } from '../rig/trials.mjs'
import { oursWorker, peerWorker } from '../rig/workers.mjs'
import { promptTokens } from '../rig/workloads.mjs'
import { decodeBytes, models, prompt, trainingFlops } from './shapes.mjs'

/**
 * @typedef {object} Options
 * @property {'cuda' | 'cpu'} device
 * @property {boolean} tiny
 * @property {string} peer
 * @property {number} trials
 * @property {number} warmup
 * @property {number} steps
 * @property {number} threads
 * @property {boolean} [fresh]
 */

/** @type {Readonly<Record<string, (options: Options) => Promise<object>>>} */
export const rows = {
  'grpo-16': (options) => grpo(options, { model: '2b', prompts: 16, group: 14, newTokens: 16, lora: { r: 64 } }),
  'grpo-256': (options) => grpo(options, { model: '2b', prompts: 8, group: 8, newTokens: 256, lora: { r: 64 } }),
  'grpo-7b-lora': (options) => grpo(options, { model: '7b', prompts: 4, group: 14, newTokens: 16, lora: { r: 64 } }),
  'grpo-7b-full': (options) => grpo(options, { model: '7b', prompts: 4, group: 14, newTokens: 16, lean: true }),
  decode,
  training,
  agreement,
  sampler,
}

/** What every job says. */
async function jobOf({ device, tiny, warmup, steps }, { model, prompts = 1, group, newTokens }) {
  const sizes = models[tiny ? 'tiny' : model]
  const workload = prompt({ group, newTokens }, tiny)
  const job = {
    ...{ device, warmup, steps, group, newTokens, prompts, questions: 1, seed: 1 },
    checkpoint: await checkpointDir(sizes),
    rows: await rowsFile(workload, prompts * (warmup + steps)),
  }
  const shape = { promptTokens: promptTokens(workload), prompts, group, newTokens, model: tiny ? 'tiny' : model }
  return { job, sizes, shape }
}

/** Optimizer steps: prompts per second, and the GPU's memory, against TRL with gradient checkpointing off and on. */
async function grpo(options, { lora, lean, ...workload }) {
  const { job, shape } = await jobOf(options, workload)
  const step = { ...job, task: 'grpo-step', lora, lean }
  const rate = ({ seconds, ...others }) => ({
    promptsPerSecond: workload.prompts / seconds,
    secondsPerStep: seconds,
    ...others,
  })
  // TRL learns from a prompt's completions at a time, as they would not fit together.
  const peerJobs = checkpointingWays(options.peer, ['trl'], { ...step, autocast: options.device === 'cuda' })
  const { ours, peer } = await duel({ ours: step, peer: peerJobs }, options)
  if (!peer) return { shape, ours: rate(ours) }
  const fastest = best(peer, 'seconds')
  const leanest = best(peer, 'peakBytes')
  return {
    shape,
    ours: rate(ours),
    peer: { name: 'trl', ...rate(fastest), peakBytes: leanest.peakBytes, peakBytesWay: leanest.way },
    ...ratioOf(fastest, ours),
    memoryRatio: leanest.peakBytes / ours.peakBytes,
  }
}

/** Tokens per second of 64 sequences, and what share of the rate at which memory can be read a decoding step reaches. */
async function decode(options) {
  const workload = { model: '2b', prompts: 8, group: 8, newTokens: options.tiny ? 8 : 256 }
  const { job, sizes, shape } = await jobOf(options, workload)
  const whole = { ...job, task: 'generate' }
  const first = { ...whole, newTokens: 1 }
  const hasPeer = isPeer(options.peer, ['trl'])
  const { ours, peer } = await duel({ ours: whole, ...(hasPeer ? { peer: { transformers: whole } } : {}) }, options)
  const { ours: prompts } = await duel({ ours: first }, options)
  const sequences = workload.prompts * workload.group
  const rate = ({ seconds, ...others }) => ({
    tokensPerSecond: (sequences * workload.newTokens) / seconds,
    seconds,
    ...others,
  })
  const secondsPerToken = (ours.seconds - prompts.seconds) / (workload.newTokens - 1)
  const cache = {
    prompts: workload.prompts,
    promptTokens: shape.promptTokens,
    rows: sequences,
    ownTokens: workload.newTokens / 2,
  }
  const { copyBytesPerSecond, ...machine } = await machineRates(options)
  const bytes = decodeBytes(sizes, cache)
  return {
    shape,
    ours: { ...rate(ours), secondsPerToken, shareOfCopyRate: bytes / secondsPerToken / copyBytesPerSecond },
    ...(peer
      ? { peer: { name: 'transformers', ...rate(peer.transformers) }, ...ratioOf(peer.transformers, ours) }
      : {}),
    rates: { copyBytesPerSecond, ...machine, bytesPerStep: bytes },
  }
}

/** Forward and backward pass over 16 sequences of 1,024 tokens, all weights of the language model and the head. */
async function training(options) {
  const batch = options.tiny ? { sequences: 2, length: 32 } : { sequences: 16, length: 1024 }
  const { job, sizes } = await jobOf(options, { model: '2b', group: 1, newTokens: 1 })
  const pass = { ...job, ...batch, task: 'training' }
  const { ours, peer } = await duel({ ours: pass, peer: checkpointingWays(options.peer, ['trl'], pass) }, options)
  const fastest = peer && best(peer, 'seconds')
  const { matrixFlops } = await machineRates(options)
  const flops = trainingFlops(sizes, batch)
  return {
    shape: { ...batch, model: options.tiny ? 'tiny' : '2b' },
    ours: { ...ours, shareOfMatrixRate: flops / ours.seconds / matrixFlops },
    ...(fastest ? { peer: { name: 'transformers', ...fastest }, ...ratioOf(fastest, ours) } : {}),
    rates: { matrixFlops, flops },
  }
}

/**
 * Log-probabilities of the same tokens: how far bfloat16 on the device is from float32 on the CPU, ours and transformers', each
 * by itself; and how far the two in float32 are apart.
 */
async function agreement(options) {
  const { job, shape } = await jobOf(options, { model: '2b', group: 4, newTokens: options.tiny ? 8 : 128 })
  const exact = { ...job, task: 'score', dtype: 'float32', device: 'cpu' }
  const rounded = { ...job, task: 'score', dtype: 'bfloat16' }
  const [ours, peer] = [oursWorker(options.threads), peerWorker(await peerPython(), options.threads)]
  const sides = { 'ours, float32': [ours, exact], 'ours, bfloat16': [ours, rounded] }
  const theirs = { 'transformers, float32': [peer, exact], 'transformers, bfloat16': [peer, rounded] }
  const all = Object.entries({ ...sides, ...theirs }).map(([name, [run, its]]) => ({ name, run, job: its }))
  const done = await runTrials(all, { trials: 1, fresh: options.fresh, identity: identity(options.threads) })
  const logps = (name) => done[name]?.[0]?.logps ?? []
  return {
    shape,
    ours: distance(logps('ours, bfloat16'), logps('ours, float32')),
    transformers: distance(logps('transformers, bfloat16'), logps('transformers, float32')),
    inFloat32: distance(logps('ours, float32'), logps('transformers, float32')),
  }
}

/** Log-probabilities that sampling gave its tokens against those of the training pass. */
async function sampler(options) {
  const { job, shape } = await jobOf(options, { model: '2b', prompts: 4, group: 14, newTokens: options.tiny ? 8 : 64 })
  const task = { ...job, task: 'sampler' }
  const run = oursWorker(options.threads)
  const side = { name: 'ours', job: task, run }
  const done = await runTrials([side], { trials: 1, fresh: options.fresh, identity: identity(options.threads) })
  const { sampled = [], trained = [] } = done.ours?.[0] ?? {}
  return { shape, ours: distance(sampled, trained) }
}

/** Of the absolute differences of two lists. */
export function distance(a, b) {
  if (a.length === 0 || a.length !== b.length) throw new RangeError(`[distance] ${a.length} values against ${b.length}`)
  const gaps = a.map((value, i) => Math.abs(value - b[i])).sort((x, y) => x - y)
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
  return {
    tokens: gaps.length,
    mean,
    median: median(gaps),
    p999: gaps[Math.floor(0.999 * (gaps.length - 1))],
    max: gaps.at(-1),
  }
}

/** What the machine itself reaches: bytes read and written per second by a plain copy, and bfloat16 operations per second. */
async function machineRates({ device, threads, tiny }) {
  const run = peerWorker(await peerPython(), threads)
  const { copyBytesPerSecond, matrixFlops, name } = await run({ task: 'machine', device, tiny })
  return { copyBytesPerSecond, matrixFlops, name }
}
