/** Training on given answers. */
import type { Metrics } from '../../types.js'
import { BaseTrainer, noDataset } from '../base-trainer.js'
import type { TrainEvent } from '../events.js'
import { createEncoder, type Recipe, runSession, type TrainerOptions, type TrainOptions } from '../session.js'
import { resolveSFTConfig, type SFTConfig, type SFTValues } from './config.js'
import { packedDataset, packRows, unpacking } from './packing.js'
import { evaluateAnswers, type SFTSample, sft } from './sft.js'

export interface SFTTrainerOptions extends TrainerOptions {
  readonly args?: SFTConfig
}

/** Trains a policy on given completions. */
export class SFTTrainer extends BaseTrainer<SFTSample, SFTValues, SFTTrainerOptions> {
  /** Throws an InputError for options that are unknown. */
  constructor(options: SFTTrainerOptions) {
    super(options, resolveSFTConfig(options.args))
  }

  /** Loss and token accuracy on the evaluation dataset: `eval_loss`, `eval_mean_token_accuracy`, `eval_entropy`. */
  async evaluate(signal = this.options.signal): Promise<Metrics> {
    const { model: policy, evalDataset: dataset = noDataset() } = this.options
    return evaluateAnswers({ policy, dataset, encode: createEncoder(this.options, dataset), signal }, this.args)
  }

  override async *events(resume?: TrainOptions): AsyncGenerator<TrainEvent, void> {
    const { options, args } = this
    if (!args.packing) return yield* super.events(resume)
    const { trainDataset: dataset, model: policy, signal } = options
    const context = { policy, dataset, encode: createEncoder(options, dataset), signal }
    const { blocks, warnings } = await packRows(context, args)
    const trainDataset = packedDataset(dataset, blocks)
    yield* runSession(
      { ...options, trainDataset },
      { ...this.recipe(unpacking(sft(args), context, blocks)), warnings },
      resume,
    )
  }

  protected recipe(algorithm = sft(this.args)): Recipe<SFTSample> {
    const { args: config } = this
    return {
      begin: async () => ({ algorithm, dispose() {} }),
      config,
      batchSize: config.perDeviceTrainBatchSize * config.gradientAccumulationSteps,
      updatesPerBatch: 1,
      lastBatch: 'keep',
      description: {},
      // Learning the answers makes the entropy fall, as it should.
      guards: { entropyShare: 0 },
      evaluate: (signal) => this.evaluate(signal),
    }
  }
}
