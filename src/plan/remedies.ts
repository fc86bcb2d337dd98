/** What a run that does not fit can give up: each change alone, with the peak that it leads to. Pure. */
import type { StateDType } from '../native.js'
import { predictMemory } from './memory.js'
import type { Setup } from './setup.js'
import { linears, type ModelShape } from './shape.js'
import type { AlgorithmName } from './steps.js'
import type { Workload } from './workload.js'

export interface Remedy {
  /** As it stands in a configuration. */
  readonly change: string
  readonly peakBytes: number
  readonly fits: boolean
}

interface Run {
  readonly algorithm: AlgorithmName
  readonly shape: ModelShape
  readonly workload: Workload
  readonly setup: Setup
}

/** Changes that lower the peak by less are not worth a line. */
const leastPart = 0.02
const rank = 16
const smallerMoments = { float32: ['bfloat16', 'int8'], bfloat16: ['int8'], int8: [] } as const satisfies Record<
  StateDType,
  readonly StateDType[]
>

/** The most effective first. */
export function remedies(run: Run, availableBytes: number): Remedy[] {
  const peakOf = ({ shape, workload, setup }: Run) => predictMemory(shape, workload, setup).peakBytes
  const now = peakOf(run)
  return changes(run)
    .map(({ change, changed }) => ({ change, peakBytes: peakOf({ ...run, ...changed }) }))
    .filter(({ peakBytes }) => peakBytes < (1 - leastPart) * now)
    .map((one) => ({ ...one, fits: one.peakBytes <= availableBytes }))
    .sort((a, b) => a.peakBytes - b.peakBytes)
}

interface Change {
  readonly change: string
  readonly changed: { readonly setup: Setup } | { readonly workload: Workload }
}

function changes({ algorithm, shape, workload, setup }: Run): Change[] {
  const { load, gradientCheckpointing, reference, tokensPerMicroBatch } = setup
  const { prompt, completions, completionTokens } = workload
  const set = (change: string, changed: Partial<Setup>): Change => ({
    change,
    changed: { setup: { ...setup, ...changed } },
  })
  const work = (change: string, changed: Partial<Workload>): Change => ({
    change,
    changed: { workload: { ...workload, ...changed } },
  })
  const hasReference = reference !== 'none'
  const half = (count: number) => Math.ceil(count / 2)
  return [
    ...(load.lora
      ? []
      : [
          set(`lora: { r: ${rank} }`, {
            load: { ...load, lora: adapters(shape), freezeVision: true },
            reference: 'none',
          }),
        ]),
    ...(hasReference && algorithm === 'grpo' ? [set('beta: 0', { reference: 'none' })] : []),
    ...(hasReference && algorithm === 'dpo' ? [set('precomputeRefLogProbs: true', { reference: 'none' })] : []),
    ...smallerMoments[setup.optimStateDtype].map((dtype) =>
      set(`optimStateDtype: ${dtype}`, { optimStateDtype: dtype }),
    ),
    ...(setup.gradDtype === 'bfloat16' ? [] : [set('gradDtype: bfloat16', { gradDtype: 'bfloat16' })]),
    ...(gradientCheckpointing ? [] : [set('gradientCheckpointing: true', { gradientCheckpointing: true })]),
    ...(load.dtype === 'float32' ? [set('dtype: bfloat16', { load: { ...load, dtype: 'bfloat16' } })] : []),
    ...(load.freezeVision ? [] : [set('freezeVision: true', { load: { ...load, freezeVision: true } })]),
    set(`tokensPerMicroBatch: ${half(tokensPerMicroBatch)}`, { tokensPerMicroBatch: half(tokensPerMicroBatch) }),
    ...(algorithm === 'grpo' ? sampling() : []),
    ...(prompt.patches > 0 ? [work('images and videos of half as many pixels', { prompt: halved() })] : []),
  ]

  function sampling(): Change[] {
    return [
      work(`maxCompletionLength: ${half(completionTokens)}`, { completionTokens: half(completionTokens) }),
      work(`numGenerations: ${half(completions)}`, { completions: half(completions) }),
    ]
  }

  function halved(): Workload['prompt'] {
    const less = (count: number) => count - half(prompt.patches / shape.vision.mergeUnit)
    return { ...prompt, tokens: less(prompt.tokens), shared: less(prompt.shared), patches: prompt.patches / 2 }
  }
}

function adapters(shape: ModelShape) {
  return { r: rank, alpha: 2 * rank, targetModules: Object.keys(linears(shape)), seed: 0 }
}
