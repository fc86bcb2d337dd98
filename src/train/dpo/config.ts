/** The options of a DPO run under TRL 1.13's names, in camelCase and with TRL's defaults, besides those of `answerFields`. */
import {
  type DpoLossType,
  type DpoOptions,
  dpoLossTypes,
  fDivergenceLosses,
  fDivergences,
  isSorting,
} from '../../losses/dpo-options.js'
import { answerFields } from '../answers.js'
import { trainingFields } from '../config.js'
import {
  choice,
  type Field,
  type Fields,
  flag,
  integer,
  number,
  positive,
  resolveFields,
  type Values,
  wrong,
} from '../fields.js'
import { referenceFields } from '../reference-sync.js'

const lossTypes: Field<readonly DpoLossType[]> = {
  fallback: ['sigmoid'],
  expected: `one or several of ${dpoLossTypes.join(', ')}`,
  accepts: (value): value is readonly DpoLossType[] =>
    Array.isArray(value) && value.length > 0 && value.every((type) => dpoLossTypes.includes(type)),
  read: (value) => (typeof value === 'string' ? [value] : value),
}

const lossWeights: Field<readonly number[] | undefined> = {
  fallback: undefined,
  expected: 'a list of numbers, one per lossType',
  accepts: (value): value is readonly number[] =>
    Array.isArray(value) && value.every((weight) => typeof weight === 'number' && Number.isFinite(weight)),
}

const dpoFields = {
  ...trainingFields,
  ...answerFields,
  learningRate: number(1e-6, 0),
  /** What a pair is charged; several are added. See `losses/dpo-terms.ts`. */
  lossType: lossTypes,
  /** Weight of each loss type, where there are several; unset = all 1. */
  lossWeights,
  /** How far the policy may move from the reference: more = less. For ipo its tau. */
  beta: positive(0.1),
  /** robust, aot, aot_unpaired: the share of pairs that are the wrong way round. exo_pair: its epsilon, 1e-3 in its paper. */
  labelSmoothing: number(0, 0, 1),
  fDivergenceType: choice('reverse_kl', fDivergences),
  /** alpha of the alpha-divergence. */
  fAlphaDivergenceCoef: number(0.5, Number.NEGATIVE_INFINITY),
  /** LD-DPO: weight of the tokens of the longer answer past the shorter one's length; unset = 1. */
  ldAlpha: number(undefined, 0, 1),
  /** WPO: weighs pairs by how likely the policy is to give such answers itself. Costs a forward pass per step. */
  useWeighting: flag(false),
  discopopTau: positive(0.05),
  /** Scores the whole dataset under the reference before training, which then needs no reference in memory. */
  precomputeRefLogProbs: flag(false),
  /** Pairs scored at a time then; unset = `perDeviceTrainBatchSize`. Changes no result. */
  precomputeRefBatchSize: integer(undefined, 1),
  ...referenceFields,
} satisfies Fields

export type DPOValues = Values<typeof dpoFields>
/** Options of `DPOTrainer`; all have defaults. `lossType` may be one name. */
export type DPOConfig = Partial<Omit<DPOValues, 'lossType'>> & {
  readonly lossType?: DpoLossType | readonly DpoLossType[]
}

/** All options of a DPO run; throws an InputError for unknown names, bad values and losses that do not go together. */
export function resolveDPOConfig(given: Readonly<Record<string, unknown>> = {}): DPOValues {
  const config = resolveFields(dpoFields, given)
  const { lossType: types, lossWeights: weights } = config
  if (weights && weights.length !== types.length) {
    throw wrong(`lossWeights: expected one for each of ${types.length} lossType, got ${weights.length}`)
  }
  if (types.includes('exo_pair') && config.labelSmoothing === 0) {
    throw wrong("labelSmoothing: lossType 'exo_pair' needs it above 0, got 0; its paper has 1e-3")
  }
  if (types.includes('robust') && config.labelSmoothing >= 0.5) {
    throw wrong(`labelSmoothing: lossType 'robust' needs it below 0.5, got ${config.labelSmoothing}`)
  }
  const foreign = types.find((type) => !fDivergenceLosses.includes(type))
  if (config.fDivergenceType !== 'reverse_kl' && foreign) {
    throw wrong(
      `fDivergenceType: '${config.fDivergenceType}' is for lossType ${fDivergenceLosses.join(', ')}, got '${foreign}'`,
    )
  }
  const unweighted = types.find((type) => isSorting(type) || type === 'sft')
  if (config.useWeighting && unweighted) throw wrong(`useWeighting: lossType '${unweighted}' has no weights of pairs`)
  if (config.syncRefModel && config.precomputeRefLogProbs) {
    throw wrong('syncRefModel: moves the reference, which precomputeRefLogProbs scores with only once; leave out one')
  }
  return config
}

/** Whether a step's loss takes more from the policy than a pair's own log-probabilities; see `compareBatch`. */
export function comparesBatch({ useWeighting, lossType }: DPOValues): boolean {
  return useWeighting || lossType.some(isSorting)
}

/** The options that make the loss. */
export function dpoOptions(config: DPOValues): DpoOptions {
  const { fDivergenceType: fDivergence, lossType, lossWeights = [], ...rest } = config
  return { ...rest, fDivergence, losses: lossType.map((type, j) => ({ type, weight: lossWeights[j] ?? 1 })) }
}
