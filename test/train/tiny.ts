/** A GRPO run on the engine that takes a tenth of a second a step: a tiny Qwen2-VL, three text questions, a reward for low tokens. */
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach } from 'vitest'
import { fromArray } from '../../src/data/dataset.js'
import { type LoadOptions, native } from '../../src/native.js'
import { loadWeights } from '../../src/policy/weights.js'
import { Policy, type PolicyProcessor } from '../../src/policy.js'
import { named } from '../../src/rewards/reward.js'
import type { GRPOConfig } from '../../src/train/grpo/config.js'
import { GRPOTrainer, type GRPOTrainerOptions } from '../../src/train/index.js'
import type { Prompt } from '../../src/types.js'

const fixture = fileURLToPath(new URL('../parity/fixtures/tiny-a', import.meta.url))

/** Tokens 10 + letter, and one that ends an answer: the tiny checkpoint has no tokenizer. */
const processor: PolicyProcessor = {
  eosIds: Int32Array.of(9),
  maxPositions: 256,
  encode: (text) => Int32Array.from(text, (letter) => 10 + (letter.charCodeAt(0) % 26)),
  decode: (ids) => [...ids].map((id) => `<${id}>`).join(''),
  async prompt(messages) {
    const content = messages.at(-1)?.content
    return textPrompt(processor.encode(typeof content === 'string' ? content : ''))
  },
}

function textPrompt(ids: Int32Array): Prompt {
  const positions = Int32Array.from({ length: 3 * ids.length }, (_, i) => i % ids.length)
  return { ids, positions, nextPosition: ids.length, media: [], sharedLength: 0 }
}

const dataset = fromArray(
  ['red chair', 'blue sofa', 'green lamp'].map((content) => ({ messages: [{ role: 'user', content }] })),
)
/** Low tokens are good: easy to learn from any prompt. */
const low = named('low', ({ ids }) => ids.reduce((sum, id) => sum + (id < 40 ? 1 : 0), 0) / ids.length)

/** A folder for each test of a file, gone afterwards; the model is in its `tiny`. */
export function tinyFolder(): { readonly dir: string } {
  const folder = { dir: '' }
  beforeEach(() => {
    folder.dir = mkdtempSync(join(tmpdir(), 'vsgrpo-train-'))
    copyWithoutMedia(fixture, join(folder.dir, 'tiny'))
  })
  afterEach(() => rmSync(folder.dir, { recursive: true, force: true }))
  return folder
}

/** The checkpoint with its media tokens out of reach: at random weights they would be sampled as often as any other. */
function copyWithoutMedia(from: string, to: string): void {
  mkdirSync(to)
  copyFileSync(join(from, 'model.safetensors'), join(to, 'model.safetensors'))
  const config: object = JSON.parse(readFileSync(join(from, 'config.json'), 'utf8'))
  writeFileSync(
    join(to, 'config.json'),
    JSON.stringify({ ...config, image_token_id: 100_000, video_token_id: 100_001 }),
  )
}

/** Six steps of 24 completions; the caller disposes of the policy. */
export async function tinyTrainer(
  dir: string,
  args: GRPOConfig,
  { load, ...more }: Partial<GRPOTrainerOptions> & { readonly load?: Partial<LoadOptions> } = {},
) {
  const tiny = join(dir, 'tiny')
  const options: LoadOptions = { dtype: 'float32', trainable: true, freezeVision: true, ...load }
  const engine = native()
  const policy = new Policy({
    weights: await loadWeights(engine, tiny, options),
    processor,
    dir: tiny,
    engine,
    load: options,
  })
  const base: GRPOConfig = {
    numGenerations: 8,
    perDeviceTrainBatchSize: 24,
    maxCompletionLength: 6,
    maxSteps: 6,
    saveSteps: 100,
    tokensPerMicroBatch: 64,
    lrSchedulerType: 'constant',
  }
  const trainer = new GRPOTrainer({
    model: policy,
    trainDataset: dataset,
    rewardFuncs: low,
    args: { ...base, ...args },
    reporters: [],
    ...more,
  })
  return { policy, trainer }
}

/** All float32 tensors of a safetensors file, by name, one after another, and the file's digest. */
export function readWeights(file: string): { readonly values: Float32Array; readonly digest: string } {
  const bytes = readFileSync(file)
  const begin = 8 + Number(bytes.readBigUInt64LE(0))
  const header: Record<string, { data_offsets?: [number, number] }> = JSON.parse(bytes.toString('utf8', 8, begin))
  const parts = Object.keys(header)
    .sort()
    .map((name) => {
      const [from, to] = header[name]?.data_offsets ?? [0, 0]
      return bytes.subarray(begin + from, begin + to)
    })
  const values = new Float32Array(Uint8Array.from(Buffer.concat(parts)).buffer)
  return { values, digest: createHash('sha256').update(bytes).digest('hex') }
}

/** |a - b| / |b - origin|, Euclidean: by what part of what was learnt two runs differ. */
export function relativeDifference(a: Float32Array, b: Float32Array, origin: Float32Array): number {
  const distance = (x: Float32Array, y: Float32Array) =>
    Math.sqrt(x.reduce((sum, value, i) => sum + (value - (y[i] ?? Number.NaN)) ** 2, 0))
  return distance(a, b) / distance(b, origin)
}
