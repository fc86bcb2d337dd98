/** The options of an SFT run under TRL 1.13's names, in camelCase and with TRL's defaults, besides those of `answerFields`. */
import { InputError } from '../../errors.js'
import { answerFields } from '../answers.js'
import { trainingFields } from '../config.js'
import { choice, type Fields, flag, number, resolveFields, type Values } from '../fields.js'

const sftFields = {
  ...trainingFields,
  ...answerFields,
  learningRate: number(2e-5, 0),
  /**
   * What a token is charged: -log p (nll and chunked_nll: here the head always runs in chunks), or -[p] log p with [p] a
   * constant (dft, arXiv 2508.05629).
   */
  lossType: choice('chunked_nll', ['nll', 'chunked_nll', 'dft']),
  /** false: learn the prompts' tokens too, placeholders of images and videos included, as TRL does for rows of messages. */
  completionOnlyLoss: flag(true),
  /**
   * Learn all turns of the assistant in a conversation, and nothing else, whatever `completionOnlyLoss` says. TRL refuses this
   * for rows with images.
   */
  assistantOnlyLoss: flag(false),
  /**
   * Fills every place of a batch with rows up to `maxLength` tokens together, so that steps learn from more rows and about
   * equally many tokens. Rows do not see each other: they share forward passes whether packed or not (`tokensPerMicroBatch`).
   */
  packing: flag(false),
} satisfies Fields

export type SFTValues = Values<typeof sftFields>
/** Options of `SFTTrainer`; all have defaults. */
export type SFTConfig = Partial<SFTValues>

/** Whether tokens of a prompt with so many turns of the assistant are learned. */
export function learnsPrompt({ assistantOnlyLoss, completionOnlyLoss }: SFTValues, turns: number): boolean {
  return assistantOnlyLoss ? turns > 0 : !completionOnlyLoss
}

/** All options of an SFT run; throws an InputError for unknown names and bad values. */
export function resolveSFTConfig(given: Readonly<Record<string, unknown>> = {}): SFTValues {
  const config = resolveFields(sftFields, given)
  if (!config.packing || config.maxLength > 0) return config
  throw new InputError('[args] packing: needs a maxLength above 0, the tokens that are packed together', {
    code: 'ERR_VSGRPO_CONFIG',
  })
}
