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
import { farthest, readTensors, type Step, stepsOf, type Tensors } from './trl-tensors.js'

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

const limits = { gradients: 1e-4, updates: 1e-3 } as const

let scratch = ''
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'vsgrpo-trl-'))
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

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
  return await stepsOf(trainer, join(fixture, 'base'))
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
