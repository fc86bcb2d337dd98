/**
 * Two whole optimizer steps against TRL's own GRPOTrainer, from the same checkpoint, images and completions: gradients
 * before clipping, updates of every tensor, and what is logged. `test/parity/README.md` says how TRL's side was made.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromArray } from '../../src/data/dataset.js'
import { type GRPOConfig, GRPOTrainer } from '../../src/index.js'
import { loadModel, type Policy } from '../../src/policy.js'
import { named, type RewardInput } from '../../src/rewards/reward.js'
import type { Completion, Metrics, Prompt } from '../../src/types.js'

const fixture = fileURLToPath(new URL('../parity/fixtures/trl-step', import.meta.url))

interface Row {
  readonly question: string
  readonly prompt_ids: number[]
  /** [4] completions; `right` and `brief` are what they earn. */
  readonly completion_ids: number[][]
  readonly right: (number | null)[]
  readonly brief: (number | null)[]
}

interface Golden {
  readonly reward_weights: number[]
  readonly rows: Row[]
  /** `args` under TRL's names, and the two rows that TRL logged. */
  readonly cases: Record<string, { args: Record<string, unknown>; metrics: Metrics[] }>
}

const golden: Golden = JSON.parse(readFileSync(join(fixture, 'steps.json'), 'utf8'))

/** Flat tensors under the published names. */
type Tensors = ReadonlyMap<string, Float32Array>

/** What one optimizer step did. */
interface Step {
  readonly gradients: Tensors
  readonly updates: Tensors
  readonly metrics: Metrics
}

const limits = { gradients: 1e-4, updates: 1e-3 } as const

let scratch = ''
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'vsgrpo-trl-'))
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** The float32 tensors of a safetensors file whose names begin with `prefix`, without it. */
function readTensors(file: string, prefix = ''): Tensors {
  const bytes = readFileSync(file)
  const begin = 8 + Number(bytes.readBigUInt64LE(0))
  const header: Record<string, { dtype?: string; data_offsets?: [number, number] }> = JSON.parse(
    bytes.subarray(8, begin).toString(),
  )
  const tensors = new Map<string, Float32Array>()
  for (const [name, { dtype, data_offsets: [from, to] = [0, 0] }] of Object.entries(header)) {
    if (dtype !== 'F32' || !name.startsWith(prefix)) continue
    tensors.set(
      name.slice(prefix.length),
      new Float32Array(Uint8Array.from(bytes.subarray(begin + from, begin + to)).buffer),
    )
  }
  return tensors
}

/** TRL's two steps of a case. */
function trlSteps(name: string): Step[] {
  const file = join(fixture, `${name}.safetensors`)
  return (golden.cases[name]?.metrics ?? []).map((metrics, i) => {
    const [gradients, updates] = [readTensors(file, `${i + 1}.grad.`), readTensors(file, `${i + 1}.delta.`)]
    return { gradients, updates, metrics }
  })
}

const dataset = fromArray(
  golden.rows.map(({ question }, id) => {
    const image = join(fixture, 'images', `${id}.png`)
    const content = [{ type: 'image', image } as const, { type: 'text', text: question } as const]
    return { id, messages: [{ role: 'user' as const, content }] }
  }),
)

/** What the table says that a completion earns. */
function earned(column: 'right' | 'brief', { example, ids }: RewardInput): number | null {
  const row = golden.rows[Number(example.id)]
  const place = row?.completion_ids.findIndex((known) => known.join() === ids.join()) ?? -1
  const reward = row?.[column][place]
  if (reward === undefined) throw new Error(`no reward for example ${example.id}, tokens ${ids.join()}`)
  return reward
}

/** Hands out the fixed completions; a prompt whose tokens differ from TRL's has none. */
function script(policy: Policy): void {
  policy.generate = async (prompts, options = {}) => {
    const { temperature } = options
    const answer = async (prompt: Prompt, tokens: number[]): Promise<Completion> => {
      const ids = Int32Array.from(tokens)
      const stopped = policy.processor.eosIds.includes(ids.at(-1) ?? -1)
      return {
        text: policy.processor.decode(ids, { skipSpecialTokens: true }),
        ids,
        logps: await policy.score(prompt, ids, { temperature }),
        finishReason: stopped ? 'stop' : 'length',
      }
    }
    return Promise.all(
      prompts.map((prompt) => {
        const row = golden.rows.find(({ prompt_ids }) => prompt_ids.join() === prompt.ids.join())
        if (!row) throw new Error(`TRL has no prompt of these tokens: ${prompt.ids.join()}`)
        return Promise.all(row.completion_ids.map((tokens) => answer(prompt, tokens)))
      }),
    )
  }
}

/** TRL's arguments under our names. */
function argsOf(name: string): GRPOConfig {
  const args = Object.entries(golden.cases[name]?.args ?? {})
  return Object.fromEntries(
    args.map(([key, value]) => [key.replace(/_(.)/g, (_, c: string) => c.toUpperCase()), value]),
  )
}

/** Our steps of a case, read from a checkpoint after each. */
async function ourSteps(name: string, changes: GRPOConfig = {}): Promise<Step[]> {
  const outputDir = mkdtempSync(join(scratch, `${name}-`))
  await using model = await loadModel(join(fixture, 'base'), { dtype: 'float32' })
  script(model)
  const args = { ...argsOf(name), logCompletions: false, outputDir, saveSteps: 1, ...changes }
  const rewardFuncs = [
    named('right', (input) => earned('right', input)),
    named('brief', (input) => earned('brief', input)),
  ]
  const trainer = new GRPOTrainer({
    model,
    trainDataset: dataset,
    rewardFuncs,
    rewardWeights: golden.reward_weights,
    args,
    reporters: [],
  })
  const steps: Step[] = []
  let weights = readTensors(join(fixture, 'base', 'model.safetensors'))
  let moments: Tensors | undefined
  for await (const event of trainer) {
    if (event.type === 'step') steps.push({ gradients: new Map(), updates: new Map(), metrics: event.metrics })
    const last = steps.at(-1)
    if (event.type !== 'checkpoint' || !last) continue
    const after = readTensors(join(event.dir, 'model.safetensors'))
    const momentsAfter = unfuse(readTensors(join(event.dir, 'optimizer.safetensors')), after)
    const gradients = gradientsFrom(momentsAfter, moments, last.metrics.grad_norm ?? Number.NaN, trainer.args)
    steps[steps.length - 1] = { ...last, gradients, updates: combine(after, weights, (now, before) => now - before) }
    weights = after
    moments = momentsAfter
  }
  return steps
}

/** The optimizer's first moments under the published names: the engine keeps q, k, v and gate, up in one tensor each. */
function unfuse(optimizer: Tensors, shapes: Tensors): Tensors {
  const parts = new Map<string, Float32Array>()
  for (const [key, values] of optimizer) {
    if (!key.endsWith('.m')) continue
    const name = key.slice(0, -'.m'.length)
    const names = [
      name,
      ...['k_proj', 'v_proj'].map((k) => name.replace('q_proj', k)),
      name.replace('gate_proj', 'up_proj'),
    ]
    let begin = 0
    for (const part of new Set(names)) {
      const size = shapes.get(part)?.length ?? 0
      parts.set(part, values.subarray(begin, begin + size))
      begin += size
    }
    expect(begin, name).toBe(values.length)
  }
  return parts
}

/** Adam's m after = beta1 m + (1 - beta1) g, where g was scaled down to the norm that the run allows. */
function gradientsFrom(after: Tensors, before: Tensors | undefined, norm: number, args: GRPOTrainer['args']): Tensors {
  const { adamBeta1: beta, maxGradNorm } = args
  const scale = Math.min(1, maxGradNorm / (norm + 1e-6)) * (1 - beta)
  return combine(after, before, (m, old) => (m - beta * old) / scale)
}

function combine(a: Tensors, b: Tensors | undefined, f: (a: number, b: number) => number): Tensors {
  return new Map([...a].map(([name, values]) => [name, values.map((value, i) => f(value, b?.get(name)?.[i] ?? 0))]))
}

/** ||got - wanted|| / ||wanted||; infinite where only one is there or something is no number. */
function distance(got: Float32Array | undefined, wanted: Float32Array | undefined): number {
  if (!got || !wanted || got.length !== wanted.length) return Number.POSITIVE_INFINITY
  const apart = Math.hypot(...got.map((value, i) => value - (wanted[i] ?? 0)))
  const relative = apart === 0 ? 0 : apart / Math.hypot(...wanted)
  return Number.isNaN(relative) ? Number.POSITIVE_INFINITY : relative
}

/** The tensor that differs most. */
function farthest(got: Tensors, wanted: Tensors): { name: string; value: number } {
  const names = [...new Set([...got.keys(), ...wanted.keys()])]
  const all = names.map((name) => ({ name, value: distance(got.get(name), wanted.get(name)) }))
  return all.reduce((worst, one) => (one.value > worst.value ? one : worst), { name: 'none', value: 0 })
}

/**
 * Metrics that are no sum over the batch: TRL averages its slices' averages, and deals completions to slices at random;
 * ours are averages over all tokens. `epoch` and `step` say nothing about the step.
 */
function comparable(name: string, isSliced: boolean): boolean {
  return !/^(epoch|step)$/.test(name) && !(isSliced && /^(kl|entropy|clip_ratio|cispo_clip_ratio)/.test(name))
}

const kinds = ['gradients', 'updates'] as const
type Kind = (typeof kinds)[number]

/** The largest relative difference of a tensor, for the log. */
function describeFarthest(kind: Kind, got: Step | undefined, wanted: Step): string {
  const { name, value } = farthest(got?.[kind] ?? new Map(), wanted[kind])
  return `${kind} within ${value.toExponential(1)} (${name})`
}

/** What is not as TRL has it, in words. Empty: the step is TRL's. */
function faults(got: Step | undefined, wanted: Step, isSliced: boolean): string[] {
  const far = kinds.flatMap((kind) => {
    const { name, value } = farthest(got?.[kind] ?? new Map(), wanted[kind])
    return value <= limits[kind] ? [] : [`${kind}: ${name} differs by ${value}`]
  })
  const logged = Object.entries(wanted.metrics).flatMap(([name, value]) => {
    const own = got?.metrics[name] ?? Number.NaN
    const isEqual = Math.abs(own - value) <= 1e-6 + 1e-5 * Math.abs(value)
    return isEqual || !comparable(name, isSliced) ? [] : [`${name}: ${own}, TRL has ${value}`]
  })
  return [...far, ...logged]
}

const isSliced = (name: string) => golden.cases[name]?.args.gradient_accumulation_steps !== 1

describe("an optimizer step is TRL's", () => {
  it.each(Object.keys(golden.cases))('%s', async (name) => {
    const [ours, theirs] = [await ourSteps(name), trlSteps(name)]
    expect(theirs).toHaveLength(2)
    for (const [i, wanted] of theirs.entries()) {
      const got = ours[i]
      expect([wanted.gradients.size, wanted.updates.size]).toEqual([57, 57])
      console.log(`${name}, step ${i + 1}: ${kinds.map((kind) => describeFarthest(kind, got, wanted)).join(', ')}`)
      expect(faults(got, wanted, isSliced(name)), `step ${i + 1}`).toEqual([])
    }
  })
})

describe('the comparison sees', () => {
  /** Values moved on by one within each tensor. */
  const shifted = (tensors: Tensors): Tensors =>
    new Map([...tensors].map(([name, values]) => [name, values.map((_, i) => values.at(i - 1) ?? 0)]))

  it('a step that does nothing', async () => {
    const [got] = await ourSteps('grpo', { learningRate: 0, maxSteps: 1 })
    const [wanted] = trlSteps('grpo')
    expect(wanted && faults(got, wanted, false)).toEqual([
      expect.stringMatching(/^updates: .* differs by 1$/),
      'learning_rate: 0, TRL has 0.001',
    ])
  })

  it('gradients in another order, and the updates that they make', () => {
    const [wanted] = trlSteps('dapo')
    if (!wanted) throw new Error('no golden step')
    const moved = { ...wanted, gradients: shifted(wanted.gradients), updates: shifted(wanted.updates) }
    expect(faults(wanted, wanted, false)).toEqual([])
    expect(faults(moved, wanted, false)).toEqual([
      expect.stringMatching(/^gradients: /),
      expect.stringMatching(/^updates: /),
    ])
  })

  it('a tensor that is missing', () => {
    const [wanted] = trlSteps('dapo')
    if (!wanted) throw new Error('no golden step')
    const gradients = new Map([...wanted.gradients].slice(1))
    expect(faults({ ...wanted, gradients }, wanted, false)).toEqual([expect.stringMatching(/differs by Infinity$/)])
  })
})
