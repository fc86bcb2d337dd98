/** What a run will need and take: memory by part, seconds by phase, and micro-batches that fit the memory there is. */
import type { Dataset } from '../data/dataset.js'
import { InputError } from '../errors.js'
import { type LoadOptions, native } from '../native.js'
import { findModel, type LoadModelOptions, loadOptionsOf } from '../policy/load-model.js'
import { defaultTokensPerBatch } from '../policy/weights.js'
import { Processor } from '../processing/index.js'
import { isGiven } from '../train/fields.js'
import { availableBytes } from './available.js'
import { type KeptMediaOptions, keptMedia } from './kept-media.js'
import { type MemoryPlan, predictMemory } from './memory.js'
import { measureRates, type Rates } from './rates.js'
import { type Remedy, remedies } from './remedies.js'
import type { Setup } from './setup.js'
import { countParameters, type ModelShape, readShape } from './shape.js'
import { measureRows, type RowSizes } from './sizes.js'
import { type AlgorithmName, countRunSteps, planSteps, type StepPlan } from './steps.js'
import { predictTime, type TimePlan } from './time.js'
import type { Workload } from './workload.js'

export interface PlanOptions extends LoadModelOptions {
  /** Default 'grpo'. */
  readonly algorithm?: AlgorithmName
  /** Folder or hub name, as for `loadModel`. Its weights are not read. */
  readonly model: string
  readonly trainDataset: Dataset
  /** The trainer's options. Without `tokensPerMicroBatch` the plan picks one. */
  readonly args?: Readonly<Record<string, unknown>>
  /** Default: what the machine or its container has left. */
  readonly availableBytes?: number
  /** Default: measured now, which takes about a second. */
  readonly rates?: Rates
}

export interface Plan {
  readonly algorithm: AlgorithmName
  readonly model: {
    readonly dir: string
    readonly dtype: LoadOptions['dtype']
    readonly parameters: number
    readonly trainable: number
  }
  /** The longest of the rows that were read. */
  readonly workload: Workload
  readonly rowsRead: number
  readonly tokensPerMicroBatch: number
  /** Bytes. */
  readonly memory: MemoryPlan & { readonly availableBytes: number; readonly fits: boolean }
  /** Optimizer steps of the whole run. */
  readonly steps: number
  /** Seconds of one, at rows of mean length whose completions all run to `maxCompletionLength`; rewards are not in it. */
  readonly time?: TimePlan
  /** Why there is no time. */
  readonly notMeasured?: string
  /** What would lower the peak, the most effective first; only where it does not fit. */
  readonly remedies: readonly Remedy[]
}

/** Of the memory that there is, what a plan may fill: its predictions are good to a tenth. */
const filled = 0.9

/** Throws an InputError for options and rows that a run would refuse too and for a GPU, and what the engine throws. */
export async function plan(options: PlanOptions): Promise<Plan> {
  const { algorithm = 'grpo', args = {}, trainDataset } = options
  if (options.device === 'cuda') {
    throw new InputError(
      "[plan] device: expected 'auto' or 'cpu', got 'cuda'; the plan's formulas have been measured on the CPU only",
      { hint: 'Leave device out to see the sizes of the run on the CPU.' },
    )
  }
  const steps = planSteps(algorithm, args)
  const found = findModel(options.model, options)
  const shape = await readShape(found.dir)
  const processor = await Processor.load(found.dir, { ...options.processor, cacheBytes: 0 })
  const engine = native()
  const load = loadOptionsOf(found, options, engine.buildInfo().bfloat16)
  const rows = await measureRows(trainDataset, processor, { ...steps.config, answers: steps.answers })
  const available = options.availableBytes ?? availableBytes()
  const { longest, mean } = workloads(shape, steps, rows, { ...options, length: trainDataset.length })
  const asked = setupOf(steps, load)
  const setup = isGiven(args, 'tokensPerMicroBatch') ? asked : pickMicroBatch(shape, longest, asked, available)
  const memory = predictMemory(shape, longest, setup)
  const rates = options.rates ?? (await measured(() => measureRates(engine, shape, load, mean)))
  const { total: parameters, trainable } = countParameters(shape, load)
  const fits = memory.peakBytes <= available
  return {
    algorithm,
    model: { dir: found.dir, dtype: load.dtype, parameters, trainable },
    workload: longest,
    rowsRead: rows.rows,
    tokensPerMicroBatch: setup.tokensPerMicroBatch,
    memory: { ...memory, availableBytes: available, fits },
    steps: countRunSteps(steps, trainDataset.length, rows.mean),
    ...(typeof rates === 'string' ? { notMeasured: rates } : { time: predictTime(shape, mean, setup, rates) }),
    remedies: fits ? [] : remedies({ algorithm, shape, workload: longest, setup }, available),
  }
}

/** The machine's rates, or why its temporary folder does not take what measuring needs: no reason to stop a run. */
async function measured(measure: () => Promise<Rates>): Promise<Rates | string> {
  try {
    return await measure()
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return error.message
    throw error
  }
}

/** The step at its longest, which memory has to hold, and at its mean, which time adds up to. */
function workloads(shape: ModelShape, steps: StepPlan, rows: RowSizes, options: KeptMediaOptions) {
  const kept = keptMedia(shape, steps, rows, options)
  return { longest: { ...steps.workload(rows.longest), ...kept }, mean: { ...steps.workload(rows.mean), ...kept } }
}

function setupOf({ config, needsReference }: StepPlan, load: LoadOptions): Setup {
  return {
    load,
    reference: needsReference ? referenceOf(load) : 'none',
    optimStateDtype: config.optimStateDtype,
    gradDtype: config.gradDtype,
    gradientCheckpointing: config.gradientCheckpointing,
    tokensPerMicroBatch: config.tokensPerMicroBatch,
    tokensPerGeneration: defaultTokensPerBatch,
  }
}

/** As `Policy.reference` makes it: adapters can be switched off, and those from a folder are kept as they were. */
function referenceOf({ lora, adapterDir }: LoadOptions): Setup['reference'] {
  if (!lora) return 'copy'
  return adapterDir === undefined ? 'none' : 'adapters'
}

/** The default, or the largest half, quarter, … of it with which the run fits; the least of them when none does. */
function pickMicroBatch(shape: ModelShape, workload: Workload, setup: Setup, available: number): Setup {
  const prompts = (tokens: number) => predictMemory(shape, workload, { ...setup, tokensPerMicroBatch: tokens })
  let tokens = setup.tokensPerMicroBatch
  let { peakBytes, promptsPerMicroBatch } = prompts(tokens)
  while (peakBytes > filled * available && promptsPerMicroBatch > 1) {
    tokens /= 2
    ;({ peakBytes, promptsPerMicroBatch } = prompts(tokens))
  }
  return { ...setup, tokensPerMicroBatch: tokens }
}
