/** Training on preferences. */
import type { Dataset } from '../../data/dataset.js'
import { rowBatches } from '../../data/loader.js'
import type { Metrics } from '../../types.js'
import { BaseTrainer, noDataset } from '../base-trainer.js'
import { checkSyncRefModel } from '../checks.js'
import { Meter } from '../meter.js'
import { createEncoder, type Recipe, type TrainerOptions } from '../session.js'
import { type DPOConfig, type DPOValues, resolveDPOConfig } from './config.js'
import { dpo } from './dpo.js'
import { measureLoss, type ScoredAnswer, scoreUnits } from './objective.js'
import { type DPOParts, type DPOSample, type PairContext, precompute, readUnits } from './pairs.js'

export interface DPOTrainerOptions extends TrainerOptions {
  readonly args?: DPOConfig
}

/** Trains a policy on pairs of answers: rows with `messages`, `chosen` and `rejected`. */
export class DPOTrainer extends BaseTrainer<DPOSample, DPOValues, DPOTrainerOptions> {
  /** What a run under way scores its evaluation dataset with. */
  private scoring: Omit<DPOParts, 'config'> | undefined

  /** Throws an InputError for options that are unknown or do not fit together. */
  constructor(options: DPOTrainerOptions) {
    super(options, resolveDPOConfig(options.args))
    checkSyncRefModel(this.args, options.model.lora)
  }

  /** Loss, rewards and log-probabilities on the evaluation dataset: `eval_loss`, `eval_rewards/accuracies`, … */
  async evaluate(signal = this.options.signal): Promise<Metrics> {
    const { model, evalDataset: dataset = noDataset() } = this.options
    const context = { ...this.context(dataset), signal }
    if (this.scoring) return this.measure(context, this.scoring)
    const reference = await model.reference()
    try {
      return await this.measure(context, { reference })
    } finally {
      reference.dispose()
    }
  }

  protected recipe(): Recipe<DPOSample> {
    const { args: config } = this
    return {
      begin: () => this.begin(),
      config,
      batchSize: config.perDeviceTrainBatchSize * config.gradientAccumulationSteps,
      updatesPerBatch: 1,
      lastBatch: 'keep',
      description: {},
      evaluate: (signal) => this.evaluate(signal),
    }
  }

  private async begin() {
    const { model, trainDataset, evalDataset } = this.options
    const { args: config } = this
    const reference = await model.reference()
    const dispose = () => {
      this.scoring = undefined
      reference.dispose()
    }
    if (!config.precomputeRefLogProbs) {
      this.scoring = { reference }
      return { algorithm: dpo({ config, reference }), dispose }
    }
    try {
      const [trainScores, evalScores] = [
        await precompute(this.context(trainDataset), { config, reference }),
        evalDataset ? await precompute(this.context(evalDataset), { config, reference }) : undefined,
      ]
      this.scoring = { precomputed: evalScores }
      return { algorithm: dpo({ config, precomputed: trainScores }), dispose: () => (this.scoring = undefined) }
    } finally {
      reference.dispose()
    }
  }

  private async measure(context: PairContext, scoring: Omit<DPOParts, 'config'>): Promise<Metrics> {
    const { args: config } = this
    const meter = new Meter()
    const answers: ScoredAnswer[] = []
    for (const indices of rowBatches(context.dataset, config.perDeviceEvalBatchSize)) {
      const { units } = await readUnits(indices, { ...context, meter }, { ...scoring, config }, indices.length)
      answers.push(...(await scoreUnits(units, context, config, meter)))
    }
    measureLoss(answers, config, meter)
    return meter.take('eval_')
  }

  private context(dataset: Dataset): PairContext {
    const { model: policy, signal } = this.options
    return { policy, dataset, encode: createEncoder(this.options, dataset), signal }
  }
}
