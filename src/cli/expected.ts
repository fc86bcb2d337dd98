/** The look at memory and time before a run starts: says what is expected, or refuses with the numbers. */
import type { Dataset } from '../data/index.js'
import { endable } from '../interrupt.js'
import { type AlgorithmName, expectation, plan, refusal } from '../plan/index.js'
import type { LoadModelOptions } from '../policy.js'
import { Checkpoints, readState } from '../train/checkpoint.js'

/** A run before anything is loaded. */
export interface Planned {
  readonly algorithm: AlgorithmName
  readonly trainDataset: Dataset
  /** The options as they were given, `outputDir` aside. */
  readonly given: Readonly<Record<string, unknown>>
}

/** What the plan has chosen where the user left it open. */
export interface Picked {
  readonly tokensPerMicroBatch?: number
}

export interface Expected {
  readonly picked: Picked
  /** To be said when the run begins. */
  readonly line: string
}

interface Place {
  readonly model: string
  readonly options: LoadModelOptions
  readonly outputDir: string
  readonly resume: boolean | string
}

/** Throws an InputError when the run would need more memory than there is. */
export async function checkPlan({ algorithm, trainDataset, given }: Planned, place: Place): Promise<Expected> {
  const args = { ...resumed(place), ...given }
  const wanted = { ...place.options, algorithm, model: place.model, trainDataset, args }
  const made = await endable(() => plan(wanted))
  if (!made.memory.fits) throw refusal(made)
  return { picked: { tokensPerMicroBatch: made.tokensPerMicroBatch }, line: expectation(made) }
}

/** A run goes on with the micro-batches that it began with: their sums are rounded alike. */
function resumed({ resume, outputDir }: Place): Picked {
  if (resume === false) return {}
  const state = resume === true ? new Checkpoints(outputDir).newestState() : readState(resume)
  const tokens = state?.args.tokensPerMicroBatch
  return typeof tokens === 'number' ? { tokensPerMicroBatch: tokens } : {}
}
