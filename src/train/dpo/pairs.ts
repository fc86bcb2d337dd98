/** Rows with a chosen and a rejected answer as units of two samples, scored under the reference policy. */
import { placeOf } from '../../data/dataset.js'
import { chunks, rowBatches } from '../../data/loader.js'
import { textOf } from '../../data/row.js'
import { InputError } from '../../errors.js'
import { isObject } from '../../json.js'
import type { Opponents } from '../../losses/dpo-terms.js'
import type { Reference } from '../../policy.js'
import type { Prompt } from '../../types.js'
import type { RunContext, Sample, Unit } from '../algorithm.js'
import { cutAnswer, encodeAnswer } from '../answers.js'
import { scoringOf } from '../scoring.js'
import { timed } from '../timing.js'
import { readRows, unusable } from '../unusable-rows.js'
import type { DPOValues } from './config.js'

/** One answer of a pair; a unit's samples are the chosen one and the rejected one. */
export interface DPOSample extends Sample {
  /** [T] under the reference policy. */
  readonly refLogps: Float32Array
  /** 1 / normaliser of its pair. */
  readonly weight: number
  /** 1 / normaliser of each chosen token in the `sft` loss. */
  readonly tokenWeight: number
  /** Which `perDeviceTrainBatchSize` pairs of the step it is among. */
  readonly slice: number
  /** What the sorting losses hold against its pair in this step. */
  readonly opponents?: Opponents
  /** [T] at temperature 1/2, for WPO. */
  readonly halfTemperatureLogps?: Float32Array
}

/** Log-probabilities of a pair's answers under the reference. */
export interface RefLogps {
  readonly chosen: Float32Array
  readonly rejected: Float32Array
}

export interface DPOParts {
  readonly config: DPOValues
  /** Scores pairs while training … */
  readonly reference?: Reference
  /** … or has done so before it: by row index. */
  readonly precomputed?: ReadonlyMap<number, RefLogps>
}

export type DPOUnit = Unit<DPOSample>
/** A row as tokens. */
interface PairRow {
  readonly index: number
  readonly prompt: Prompt
  readonly chosen: Int32Array
  readonly rejected: Int32Array
}

/** What reading and scoring pairs takes of a run. */
export type PairContext = Pick<RunContext, 'policy' | 'dataset' | 'encode' | 'signal'> &
  Partial<Pick<RunContext, 'meter' | 'now'>>

/** The usable rows among the indices as units, scored under the reference; `sliceSize` pairs share a mean, as in TRL. */
export async function readUnits(
  indices: readonly number[],
  context: PairContext,
  { config, reference, precomputed }: DPOParts,
  sliceSize: number,
): Promise<{ readonly units: DPOUnit[]; readonly warnings: readonly string[] }> {
  const { onUnusableRow } = config
  const read = (index: number) => readPair(index, context, config)
  const { rows, warnings } = await readRows(indices, read, { onUnusableRow, meter: context.meter })
  const scores = precomputed
    ? rows.map(({ index }) => precomputed.get(index))
    : await scorePairs(rows, context, { config, reference })
  return { units: weigh(rows, scores, sliceSize), warnings }
}

/** Scores a whole dataset under the reference: what `precomputed` takes. */
export async function precompute(
  context: PairContext,
  { config, reference }: DPOParts,
): Promise<Map<number, RefLogps>> {
  const { onUnusableRow, precomputeRefBatchSize: size = config.perDeviceTrainBatchSize } = config
  const known = new Map<number, RefLogps>()
  for (const indices of rowBatches(context.dataset, size)) {
    const { rows } = await readRows(indices, (index) => readPair(index, context, config), { onUnusableRow })
    const scores = await scorePairs(rows, context, { config, reference })
    for (const [i, { index }] of rows.entries()) {
      const score = scores[i]
      if (score) known.set(index, score)
    }
  }
  return known
}

/** A row's prompt and answers; an InputError when there is nothing to prefer. */
async function readPair(index: number, { dataset, encode, policy }: PairContext, config: DPOValues): Promise<PairRow> {
  const { processor } = policy
  const place = placeOf(dataset, index)
  const row = dataset.get(index)
  const tokensOf = (field: 'chosen' | 'rejected') =>
    encodeAnswer(answerOf(row[field]), processor, { place, field, end: config.completionEnd })
  const [long, longOther] = [tokensOf('chosen'), tokensOf('rejected')]
  const prompt = await encode(index)
  const limits = { place, maxLength: config.maxLength, maxPositions: processor.maxPositions }
  const [chosen, rejected] = [cutAnswer(long, prompt, limits), cutAnswer(longOther, prompt, limits)]
  if (chosen.join() !== rejected.join()) return { index, prompt, chosen, rejected }
  const limit = chosen.length < long.length || rejected.length < longOther.length ? ' within maxLength' : ''
  throw unusable(`${place}: chosen, rejected: expected two different answers, got equal ones${limit}`)
}

/** A text, or one assistant message with it. */
export function answerOf(value: unknown): unknown {
  const [message = value, ...more]: unknown[] = Array.isArray(value) ? value : []
  if (!isObject(message) || !('content' in message) || more.length > 0) return value
  return textOf(message.content) ?? message.content
}

async function scorePairs(
  rows: readonly PairRow[],
  { meter, now, signal }: PairContext,
  { config, reference }: DPOParts,
): Promise<RefLogps[]> {
  const sequences = rows.flatMap(({ prompt, chosen, rejected }) =>
    [chosen, rejected].map((completionIds) => ({ prompt, completionIds })),
  )
  const clock = meter && now ? { meter, now } : undefined
  const stats = (await timed(clock, 'logps', async () => reference?.score(sequences, scoringOf(config, signal)))) ?? []
  const empty = new Float32Array()
  return chunks(stats, 2).map(([chosen, rejected]) => {
    return { chosen: chosen?.logps ?? empty, rejected: rejected?.logps ?? empty }
  })
}

/** Every slice is a mean over its pairs, and the step the mean of its slices: TRL's accumulation. */
function weigh(rows: readonly PairRow[], scores: readonly (RefLogps | undefined)[], sliceSize: number): DPOUnit[] {
  const slices = chunks(rows, sliceSize)
  return slices.flatMap((pairs, slice) => {
    const weight = 1 / (slices.length * pairs.length)
    const tokenWeight = 1 / (slices.length * pairs.reduce((sum, { chosen }) => sum + chosen.length, 0))
    return pairs.map(({ index, prompt, chosen, rejected }, i) => {
      const ref = scores[slice * sliceSize + i]
      if (!ref)
        throw new InputError(`[dpo] row ${index} has no reference scores; the dataset has changed during the run`)
      const shared = { weight, tokenWeight, slice }
      const samples = [
        { ...shared, completionIds: chosen, refLogps: ref.chosen },
        { ...shared, completionIds: rejected, refLogps: ref.rejected },
      ]
      return { index, prompt, samples }
    })
  })
}
