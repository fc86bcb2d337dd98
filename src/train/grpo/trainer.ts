/** Training on rewards. */
import { checkWeights } from '../../rewards/combine.js'
import { type RewardFunc, rewardNames } from '../../rewards/reward.js'
import type { Metrics } from '../../types.js'
import { BaseTrainer, noDataset } from '../base-trainer.js'
import { checkRewards, checkSyncRefModel } from '../checks.js'
import { createEncoder, type Recipe, type TrainerOptions } from '../session.js'
import { batchAlgebra, configWarnings, type GRPOConfig, type GRPOValues, resolveGRPOConfig } from './config.js'
import type { CustomLoss } from './custom-loss.js'
import { evaluateRewards } from './evaluate.js'
import { grpo } from './grpo.js'
import type { GRPOSample } from './sample.js'

export interface GRPOTrainerOptions extends TrainerOptions {
  readonly rewardFuncs: RewardFunc | readonly RewardFunc[]
  /** One per reward. Default: all 1. */
  readonly rewardWeights?: readonly number[]
  /** In place of the loss that `args` describes: value and gradient from log-probabilities; `checkLoss` tests one. */
  readonly loss?: CustomLoss
  readonly args?: GRPOConfig
}

/** Trains a policy by GRPO. */
export class GRPOTrainer extends BaseTrainer<GRPOSample, GRPOValues, GRPOTrainerOptions> {
  private readonly rewards: readonly RewardFunc[]
  private readonly rewardWeights: readonly number[]

  /** Throws an InputError for options that are unknown or do not fit together. */
  constructor(options: GRPOTrainerOptions) {
    super(options, resolveGRPOConfig(options.args))
    checkRewards(options.rewardFuncs)
    this.rewards = typeof options.rewardFuncs === 'function' ? [options.rewardFuncs] : options.rewardFuncs
    this.rewardWeights = checkWeights(this.rewards, options.rewardWeights)
    checkSyncRefModel(this.args, options.model.lora)
  }

  /** Rewards on the evaluation dataset: `eval_reward`, `eval_rewards/<name>/mean`, … */
  async evaluate(signal = this.options.signal): Promise<Metrics> {
    const { model: policy, evalDataset: dataset = noDataset() } = this.options
    const { rewards, rewardWeights: weights, args } = this
    const encode = createEncoder(this.options, dataset)
    const scoring = { weights, timeout: args.rewardTimeout, onError: args.onRewardError }
    return evaluateRewards({ policy, dataset, encode, rewards, scoring, signal }, args)
  }

  protected recipe(): Recipe<GRPOSample> {
    const { args: config, rewards, rewardWeights } = this
    const { model, loss } = this.options
    const { promptsPerBatch, updates } = batchAlgebra(config)
    return {
      begin: async () => {
        const reference = config.beta > 0 ? await model.reference() : undefined
        return {
          algorithm: grpo({ config, rewards, rewardWeights, reference, loss }),
          dispose: () => reference?.dispose(),
        }
      },
      config,
      batchSize: promptsPerBatch,
      updatesPerBatch: updates * config.numIterations,
      lastBatch: 'drop',
      warnings: configWarnings(config),
      description: {
        rewardFuncs: rewardNames(rewards),
        rewardWeights,
        ...(loss ? { loss: loss.name || 'custom' } : {}),
      },
      evaluate: (signal) => this.evaluate(signal),
    }
  }
}
