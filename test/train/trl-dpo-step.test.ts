/**
 * Whole optimizer steps against TRL's own DPOTrainer and SFTTrainer, from the same checkpoint, images and answers: gradients
 * before clipping, updates of every tensor, and what is logged. `test/parity/README.md` says how TRL's side was made.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromArray } from '../../src/data/dataset.js'
import { DPOTrainer, SFTTrainer, type TrainerOptions } from '../../src/index.js'
import { loadModel, type Policy } from '../../src/policy.js'
import type { Metrics } from '../../src/types.js'
import { farthest, readTensors, type Step, stepsOf } from './trl-tensors.js'

const fixtures = fileURLToPath(new URL('../parity/fixtures', import.meta.url))
const base = join(fixtures, 'trl-step', 'base')

type Algorithm = 'dpo' | 'sft'

interface Golden {
  readonly trl: string
  readonly rows: readonly { readonly question: string; readonly chosen: string; readonly rejected: string }[]
  /** `args` under TRL's names, and the two rows that TRL logged. */
  readonly cases: Record<string, { args: Record<string, unknown>; metrics: Metrics[] }>
}

const golden: Record<Algorithm, Golden> = { dpo: readGolden('dpo'), sft: readGolden('sft') }

function readGolden(algorithm: Algorithm): Golden {
  return JSON.parse(readFileSync(join(fixtures, `trl-${algorithm}`, 'steps.json'), 'utf8'))
}

const limits = { gradients: 1e-4, updates: 1e-3 } as const
/** Of the metrics of the first step, and of the second, which sees the first one's differences. */
const metricLimits = [1e-5, 1e-4]
const kinds = ['gradients', 'updates'] as const

let scratch = ''
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'vsgrpo-answers-'))
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const dataset = fromArray(
  golden.dpo.rows.map(({ question, chosen, rejected }, id) => {
    const image = join(fixtures, 'trl-step', 'images', `${id}.png`)
    const content = [{ type: 'image', image } as const, { type: 'text', text: question } as const]
    return { id, messages: [{ role: 'user' as const, content }], completion: chosen, chosen, rejected }
  }),
)

/** TRL's steps of a case; what the fixture does not hold is empty. */
function trlSteps(algorithm: Algorithm, name: string): Step[] {
  const file = join(fixtures, `trl-${algorithm}`, `${name}.safetensors`)
  return (golden[algorithm].cases[name]?.metrics ?? []).map((metrics, i) => {
    const [gradients, updates] = [readTensors(file, `${i + 1}.grad.`), readTensors(file, `${i + 1}.delta.`)]
    return { gradients, updates, metrics }
  })
}

function trainerOf(algorithm: Algorithm, name: string, model: Policy, changes: Record<string, unknown>) {
  const { args } = golden[algorithm].cases[name] ?? {}
  // TRL's conversational rows end with what the chat template writes after a turn.
  const own = {
    completionEnd: 'turn',
    shuffleDataset: false,
    saveSteps: 1,
    outputDir: mkdtempSync(join(scratch, `${name}-`)),
  }
  const options: TrainerOptions & { args: object } = {
    model,
    trainDataset: dataset,
    args: { ...args, ...own, ...changes },
    reporters: [],
  }
  return algorithm === 'dpo' ? new DPOTrainer(options) : new SFTTrainer(options)
}

/** Our steps of a case, read from a checkpoint after each. */
async function ourSteps(algorithm: Algorithm, name: string, changes: Record<string, unknown> = {}): Promise<Step[]> {
  await using model = await loadModel(base, { dtype: 'float32' })
  return await stepsOf(trainerOf(algorithm, name, model, changes), base)
}

/** Not: token means, of which TRL averages its slices' averages, and what says nothing about the step. */
function isComparable(name: string, isSliced: boolean): boolean {
  return !/^(epoch|step)/.test(name) && !(isSliced && /^(entropy|mean_token_accuracy|logits\/)/.test(name))
}

/** What is not as TRL has it, in words. Empty: the step is TRL's. */
function faults(got: Step | undefined, wanted: Step, isSliced: boolean): string[] {
  const limit = metricLimits[wanted.metrics.step === 1 ? 0 : 1] ?? 0
  const far = kinds.flatMap((kind) => {
    const { name, value } = farthest(got?.[kind] ?? new Map(), wanted[kind])
    return wanted[kind].size === 0 || value <= limits[kind] ? [] : [`${kind}: ${name} differs by ${value}`]
  })
  const logged = Object.entries(wanted.metrics).flatMap(([name, value]) => {
    const own = got?.metrics[name] ?? Number.NaN
    const isEqual = Math.abs(own - value) <= 1e-6 + limit * Math.abs(value)
    return isEqual || !isComparable(name, isSliced) ? [] : [`${name}: ${own}, TRL has ${value}`]
  })
  return [...far, ...logged]
}

function describeFarthest(got: Step | undefined, wanted: Step): string {
  const held = kinds.filter((kind) => wanted[kind].size > 0)
  return held
    .map((kind) => {
      const { name, value } = farthest(got?.[kind] ?? new Map(), wanted[kind])
      return `${kind} within ${value.toExponential(1)} (${name})`
    })
    .join(', ')
}

const cases = (['dpo', 'sft'] as const).flatMap((algorithm) =>
  Object.keys(golden[algorithm].cases).map((name): [string, Algorithm] => [name, algorithm]),
)

describe("an optimizer step is TRL's", () => {
  it.each(cases)('%s', async (name, algorithm) => {
    const [ours, theirs] = [await ourSteps(algorithm, name), trlSteps(algorithm, name)]
    const isSliced = golden[algorithm].cases[name]?.args.gradient_accumulation_steps !== 1
    expect(golden[algorithm].trl).toBe('1.13.0')
    expect(theirs.map(({ updates }) => updates.size)).toEqual(algorithm === 'dpo' ? [57, 57] : [57, 0])
    for (const [i, wanted] of theirs.entries()) {
      const held = describeFarthest(ours[i], wanted)
      if (held) console.log(`${name}, step ${i + 1}: ${held}`)
      expect(faults(ours[i], wanted, isSliced), `step ${i + 1}`).toEqual([])
    }
  })

  it('with precomputed scores of the reference', async () => {
    const [ours, theirs] = [await ourSteps('dpo', 'dpo', { precomputeRefLogProbs: true }), trlSteps('dpo', 'dpo')]
    for (const [i, wanted] of theirs.entries()) expect(faults(ours[i], wanted, false), `step ${i + 1}`).toEqual([])
  })
})

describe('the comparison sees', () => {
  it.each(['dpo', 'sft'] as const)('a step of %s that does nothing', async (algorithm) => {
    const [got] = await ourSteps(algorithm, algorithm, { learningRate: 0, maxSteps: 1 })
    const [wanted] = trlSteps(algorithm, algorithm)
    expect(wanted && faults(got, wanted, true)).toEqual([
      expect.stringMatching(/^updates: .* differs by 1$/),
      'learning_rate: 0, TRL has 0.001',
    ])
  })

  it.each<[string, Algorithm, Record<string, unknown>]>([
    ['dpo', 'dpo', { beta: 0.45 }],
    ['dpo_mixed', 'dpo', { ldAlpha: 1 }],
    ['dpo_mixed', 'dpo', { labelSmoothing: 0 }],
    ['dpo_weighted', 'dpo', { useWeighting: false }],
    ['dpo_weighted', 'dpo', { syncRefModel: false }],
    ['dpo_weighted', 'dpo', { fDivergenceType: 'reverse_kl' }],
    ['sft', 'sft', { completionEnd: 'eos' }],
    ['sft_dft', 'sft', { lossType: 'nll' }],
    ['sft_dft', 'sft', { maxLength: 0 }],
  ])('that %s was run with another option: %o %o', async (name, algorithm, changes) => {
    const [, got] = await ourSteps(algorithm, name, changes)
    const [, wanted] = trlSteps(algorithm, name)
    expect(wanted && faults(got, wanted, true).length).toBeGreaterThan(0)
  })
})
