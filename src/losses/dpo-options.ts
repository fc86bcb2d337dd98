/** What a DPO loss is made of, as plain values. Names and defaults are TRL 1.13's. */

export const dpoLossTypes = [
  'sigmoid',
  'hinge',
  'ipo',
  'exo_pair',
  'nca_pair',
  'robust',
  'bco_pair',
  'sppo_hard',
  'aot',
  'aot_unpaired',
  'apo_zero',
  'apo_down',
  'discopop',
  'sft',
  'sigmoid_norm',
] as const
/** What a pair is charged; see `dpo-terms.ts`. */
export type DpoLossType = (typeof dpoLossTypes)[number]

export const fDivergences = ['reverse_kl', 'forward_kl', 'js_divergence', 'alpha_divergence'] as const
/** What keeps the policy near the reference; see `scoreOf`. */
export type FDivergence = (typeof fDivergences)[number]

export interface DpoOptions {
  /** The loss is the sum of these, each multiplied by its weight. */
  readonly losses: readonly { readonly type: DpoLossType; readonly weight: number }[]
  /** How much a log ratio counts; for ipo its regularisation tau. */
  readonly beta: number
  /** robust, aot, aot_unpaired: the share of pairs that are the wrong way round. exo_pair: its epsilon, above 0. */
  readonly labelSmoothing: number
  readonly fDivergence: FDivergence
  /** alpha of the alpha-divergence. */
  readonly fAlphaDivergenceCoef: number
  /** LD-DPO: weight of the tokens of the longer answer past the shorter one's length; absent = 1 (arXiv 2409.06411). */
  readonly ldAlpha?: number
  /** Temperature of the discopop loss. */
  readonly discopopTau: number
}

export const defaultDpoOptions: DpoOptions = {
  losses: [{ type: 'sigmoid', weight: 1 }],
  beta: 0.1,
  labelSmoothing: 0,
  fDivergence: 'reverse_kl',
  fAlphaDivergenceCoef: 0.5,
  discopopTau: 0.05,
}

/** Losses of the difference of two scores, in which the divergences' normaliser cancels: the others take `reverse_kl` only. */
export const fDivergenceLosses: readonly DpoLossType[] = [
  'sigmoid',
  'sigmoid_norm',
  'hinge',
  'ipo',
  'exo_pair',
  'robust',
  'discopop',
  'sft',
]

/** Losses that compare pairs of a batch with each other. */
export function isSorting(type: DpoLossType): boolean {
  return type === 'aot' || type === 'aot_unpaired'
}
