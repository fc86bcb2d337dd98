/**
 * An engine small enough to reason about: the next token's logits are a row of a table, picked by the token before it.
 * It packs, samples, differentiates, saves and loads for real, so trainers run on it from end to end.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type GrpoOutput, grpoLoss } from '../../../src/losses/grpo.js'
import { sftLoss } from '../../../src/losses/sft.js'
import type {
  Backward,
  BackwardResult,
  Batch,
  ForwardOptions,
  Generated,
  GenerateOptions,
  LoadOptions,
  NativeForward,
  NativeModel,
  NativeOptimizer,
  OptimizerOptions,
  Targets,
  TokenStats,
} from '../../../src/native.js'
import { loadWeights } from '../../../src/policy/weights.js'
import { type Engine, Policy, type PolicyProcessor } from '../../../src/policy.js'
import type { Prompt } from '../../../src/types.js'

/** Token 0 ends an answer; the others are letters. */
export const alphabet = '\u0000abcdefghijklmnopqrstuvwxyz? '
const vocabulary = alphabet.length

export const processor: PolicyProcessor = {
  eosIds: Int32Array.of(0),
  maxPositions: 64,
  encode: (text) => Int32Array.from(text, (letter) => alphabet.indexOf(letter)),
  decode: (ids) => [...ids].flatMap((id) => (id === 0 ? [] : [alphabet[id]])).join(''),
  async prompt(messages) {
    const content = messages.at(-1)?.content
    return textPrompt(typeof content === 'string' ? content : '')
  },
}

export function textPrompt(text: string): Prompt {
  const ids = processor.encode(text)
  const positions = Int32Array.from({ length: 3 * ids.length }, (_, i) => i % ids.length)
  return { ids, positions, nextPosition: ids.length, media: [], sharedLength: 0 }
}

/** What tests look at and turn. */
export class FakeEngine implements Engine {
  readonly models: FakeModel[] = []
  live = { forwards: 0, optimizers: 0 }
  /** Called before every forward pass. */
  onForward: (batch: Batch) => void = () => {}
  readonly Model = {
    load: async (dir: string, options: LoadOptions): Promise<NativeModel> => {
      const file = join(
        options.adapterDir ?? dir,
        options.adapterDir ? 'adapter_model.safetensors' : 'model.safetensors',
      )
      const model = new FakeModel(this, Float64Array.from(JSON.parse(readFileSync(file, 'utf8')) as number[]))
      model.base = Float64Array.from(JSON.parse(readFileSync(join(dir, 'model.safetensors'), 'utf8')) as number[])
      this.models.push(model)
      return model
    },
  }
  readonly Optimizer: Engine['Optimizer']

  async memory() {
    return { weights: 8, reference: 0, gradients: 8, optimizer: 16, features: 0, decoding: 0 }
  }

  constructor() {
    const engine = this
    this.Optimizer = class implements NativeOptimizer {
      private readonly adam: Adam
      static async create(model: NativeModel, options: OptimizerOptions): Promise<NativeOptimizer> {
        return new this(model, options)
      }
      private constructor(model: NativeModel, options: OptimizerOptions) {
        if (!(model instanceof FakeModel)) throw new Error('not a fake model')
        this.adam = new Adam(model, options)
        engine.live.optimizers++
      }
      async step(options: { lr: number; maxGradNorm: number }) {
        return this.adam.step(options)
      }
      async save(file: string) {
        writeFileSync(file, JSON.stringify({ m: [...this.adam.m], v: [...this.adam.v], t: this.adam.t }))
      }
      async load(file: string) {
        const saved = JSON.parse(readFileSync(file, 'utf8')) as { m: number[]; v: number[]; t: number }
        Object.assign(this.adam, { m: Float64Array.from(saved.m), v: Float64Array.from(saved.v), t: saved.t })
      }
      dispose() {
        engine.live.optimizers--
      }
    }
  }
}

export class FakeModel implements NativeModel {
  readonly gradient = new Float64Array(vocabulary * vocabulary)
  base: Float64Array
  disposed = false
  generateCalls = 0

  constructor(
    private readonly engine: FakeEngine,
    public table: Float64Array = new Float64Array(vocabulary * vocabulary),
  ) {
    this.base = table.slice()
  }

  async mix(other: NativeModel, alpha: number): Promise<void> {
    if (!(other instanceof FakeModel)) throw new Error('not a fake model')
    this.table = this.table.map((value, i) => (1 - alpha) * value + alpha * (other.table[i] ?? 0))
  }

  async dropFeatures(): Promise<void> {}

  async loadReferenceAdapter(dir: string): Promise<void> {
    this.base = Float64Array.from(JSON.parse(readFileSync(join(dir, 'adapter_model.safetensors'), 'utf8')) as number[])
  }

  info() {
    return { parameters: this.table.length, trainable: this.table.length, dtype: 'float32' as const }
  }

  async generate(batch: Batch, options: GenerateOptions): Promise<Generated> {
    this.generateCalls++
    const rows = [...options.leaves].flatMap((leaf) => {
      const last = batch.ids[(batch.offsets[leaf + 1] ?? 0) - 1] ?? 0
      return Array.from({ length: options.numGenerations }, () => last)
    })
    const answers: { ids: number[]; logps: number[]; stopped: boolean }[] = []
    for (const [row, last] of rows.entries()) {
      // A turn of the event loop, so that an abort can come in between.
      await new Promise(setImmediate)
      if (options.abort?.[0]) throw Object.assign(new Error('aborted'), { code: 'ABORTED' })
      answers.push(this.answer(last, options, options.seeds[row] ?? 0n))
    }
    const offsets = [0]
    for (const { ids } of answers) offsets.push((offsets.at(-1) ?? 0) + ids.length)
    return {
      ids: Int32Array.from(answers.flatMap(({ ids }) => ids)),
      offsets: Int32Array.from(offsets),
      logps: Float32Array.from(answers.flatMap(({ logps }) => logps)),
      stopped: Uint8Array.from(answers, ({ stopped }) => Number(stopped)),
    }
  }

  private answer(last: number, options: GenerateOptions, seed: bigint) {
    const random = uniform(seed)
    const ids: number[] = []
    const logps: number[] = []
    let token = last
    while (ids.length < options.maxNewTokens) {
      const distribution = this.distribution(token, options.temperature || 1, this.table)
      token = options.temperature === 0 ? distribution.indexOf(Math.max(...distribution)) : draw(distribution, random())
      ids.push(token)
      logps.push(Math.log(distribution[token] ?? 0))
      if (options.eosIds.includes(token)) return { ids, logps, stopped: true }
    }
    return { ids, logps, stopped: false }
  }

  async forward(batch: Batch, targets: Targets, options: ForwardOptions): Promise<NativeForward> {
    this.engine.onForward(batch)
    this.engine.live.forwards++
    const contexts = Array.from(targets.rows, (row) => batch.ids[row] ?? 0)
    const table = options.adapter ? this.table : this.base
    const stats = {
      ...this.stats(contexts, targets.ids, options.temperature, table),
      ...(options.logitMean
        ? { logitMean: Float32Array.from(contexts, (context) => meanOf(rowOf(table, context))) }
        : {}),
    }
    return {
      logps: async () => stats,
      backward: async (args) => {
        if (!options.grad) throw new Error('backward without grad')
        return this.backward(args, stats, contexts, targets.ids, options.temperature)
      },
      dispose: () => {
        this.engine.live.forwards--
      },
    }
  }

  private backward(
    args: Backward,
    stats: TokenStats,
    contexts: readonly number[],
    ids: Int32Array,
    temperature: number,
  ): BackwardResult {
    const { loss, dlogps, dentropy } = differentiate(args, stats)
    contexts.forEach((context, k) => {
      const distribution = this.distribution(context, temperature, this.table)
      const entropy = entropyOf(distribution)
      distribution.forEach((p, token) => {
        const byLogp = (token === ids[k] ? 1 : 0) - p
        const byEntropy = -p * (Math.log(p) + entropy)
        const slope = ((dlogps[k] ?? 0) * byLogp + (dentropy?.[k] ?? 0) * byEntropy) / temperature
        this.gradient[context * vocabulary + token] = (this.gradient[context * vocabulary + token] ?? 0) + slope
      })
    })
    return { ...stats, loss }
  }

  private stats(contexts: readonly number[], ids: Int32Array, temperature: number, table: Float64Array): TokenStats {
    const distributions = contexts.map((context) => this.distribution(context, temperature, table))
    return {
      logps: Float32Array.from(ids, (id, k) => Math.log(distributions[k]?.[id] ?? 0)),
      entropy: Float32Array.from(distributions, entropyOf),
      correct: Uint8Array.from(ids, (id, k) =>
        Number(distributions[k]?.indexOf(Math.max(...(distributions[k] ?? []))) === id),
      ),
    }
  }

  private distribution(context: number, temperature: number, table: Float64Array): number[] {
    const logits = Array.from(rowOf(table, context), (x) => x / temperature)
    const highest = Math.max(...logits)
    const weights = logits.map((logit) => Math.exp(logit - highest))
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    return weights.map((weight) => weight / total)
  }

  async save(dir: string, what: 'model' | 'adapter' | 'merged') {
    const name = what === 'adapter' ? 'adapter_model.safetensors' : 'model.safetensors'
    writeFileSync(join(dir, name), JSON.stringify([...this.table]))
  }

  dispose() {
    this.disposed = true
  }
}

/** Value and slopes of what `backward` is asked for. */
function differentiate(args: Backward, stats: TokenStats): GrpoOutput {
  const { logps, entropy } = stats
  if (args.loss === 'grpo') return grpoLoss({ ...args, logps, entropy }, args.options)
  if (args.loss === 'sft') return sftLoss({ ...args, logps, offsets: Int32Array.of(0, logps.length) })
  return { loss: 0, dlogps: args.dlogps, dentropy: args.dentropy }
}

/** The logits of the token after `context`. */
function rowOf(table: Float64Array, context: number): Float64Array {
  return table.subarray(context * vocabulary, (context + 1) * vocabulary)
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** In nats. */
function entropyOf(distribution: readonly number[]): number {
  return -distribution.reduce((sum, p) => sum + p * Math.log(p), 0)
}

class Adam {
  m = new Float64Array(vocabulary * vocabulary)
  v = new Float64Array(vocabulary * vocabulary)
  t = 0

  constructor(
    private readonly model: FakeModel,
    private readonly options: OptimizerOptions,
  ) {}

  step({ lr, maxGradNorm }: { lr: number; maxGradNorm: number }) {
    const { beta1, beta2, epsilon } = this.options
    const { gradient, table } = this.model
    const gradNorm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0))
    if (!Number.isFinite(gradNorm)) {
      gradient.fill(0)
      throw Object.assign(new Error(`the gradient norm is ${gradNorm}`), { code: 'NUMERICS' })
    }
    const scale = maxGradNorm > 0 ? Math.min(1, maxGradNorm / (gradNorm + 1e-6)) : 1
    this.t++
    gradient.forEach((raw, i) => {
      const g = raw * scale
      this.m[i] = beta1 * (this.m[i] ?? 0) + (1 - beta1) * g
      this.v[i] = beta2 * (this.v[i] ?? 0) + (1 - beta2) * g * g
      const m = (this.m[i] ?? 0) / (1 - beta1 ** this.t)
      const v = (this.v[i] ?? 0) / (1 - beta2 ** this.t)
      table[i] = (table[i] ?? 0) - (lr * m) / (Math.sqrt(v) + epsilon)
    })
    gradient.fill(0)
    return { gradNorm }
  }
}

function uniform(seed: bigint): () => number {
  let state = seed
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn
    return Number(state >> 11n) / 2 ** 53
  }
}

function draw(distribution: readonly number[], at: number): number {
  let sum = 0
  for (const [token, p] of distribution.entries()) {
    sum += p
    if (at < sum) return token
  }
  return distribution.length - 1
}

/** A policy over a fresh fake engine, and the folder of its model. */
export async function fakePolicy(
  dir: string,
  load: Partial<LoadOptions> = {},
): Promise<{ policy: Policy; engine: FakeEngine }> {
  const engine = new FakeEngine()
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ model_type: 'qwen2_vl' }))
  writeFileSync(join(dir, 'tokenizer.json'), '{}')
  await new FakeModel(engine).save(dir, 'model')
  const options: LoadOptions = { dtype: 'float32', trainable: true, freezeVision: false, ...load }
  const weights = await loadWeights(engine, dir, options)
  return { policy: new Policy({ weights, processor, dir, engine, load: options }), engine }
}
