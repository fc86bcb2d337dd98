/**
 * The trainers: an algorithm, its options and a dataset. Everything is checked when a trainer is made; nothing runs
 * before `train()`, or before the first event is asked for.
 */
import { InputError } from '../errors.js'
import { checkWeights } from '../rewards/combine.js'
import { type RewardFunc, rewardNames } from '../rewards/reward.js'
import type { Metrics } from '../types.js'
import { resolveSFTConfig, type SFTConfig, type SFTValues, type TrainingValues } from './config.js'
import type { CustomLoss } from './custom-loss.js'
import { evaluateLoss, evaluateRewards } from './evaluate.js'
import type { TrainEvent } from './events.js'
import { type GRPOSample, grpo } from './grpo.js'
import { batchAlgebra, configWarnings, type GRPOConfig, type GRPOValues, resolveGRPOConfig } from './grpo-config.js'
import {
  createEncoder,
  finish,
  type Recipe,
  runSession,
  type TrainerOptions,
  type TrainOptions,
  type TrainResult,
} from './session.js'
import { type SFTSample, sft } from './sft.js'

export interface GRPOTrainerOptions extends TrainerOptions {
  readonly rewardFuncs: RewardFunc | readonly RewardFunc[]
  /** One per reward. Default: all 1. */
  readonly rewardWeights?: readonly number[]
  /** In place of the loss that `args` describes: value and gradient from log-probabilities; `checkLoss` tests one. */
  readonly loss?: CustomLoss
  readonly args?: GRPOConfig
}

/** Trains a policy by GRPO. `for await (const event of trainer)` trains too, and shows every event. */
export class GRPOTrainer implements AsyncIterable<TrainEvent> {
  /** All options, resolved. */
  readonly args: GRPOValues
  private readonly options: GRPOTrainerOptions
  private readonly rewards: readonly RewardFunc[]
  private readonly rewardWeights: readonly number[]

  /** Throws an InputError for options that are unknown or do not fit together. */
  constructor(options: GRPOTrainerOptions) {
    this.options = options
    this.args = resolveGRPOConfig(options.args)
    this.rewards = typeof options.rewardFuncs === 'function' ? [options.rewardFuncs] : options.rewardFuncs
    this.rewardWeights = checkWeights(this.rewards, options.rewardWeights)
    if (this.args.syncRefModel && options.model.lora) {
      throw new InputError('[args] syncRefModel: expected a model without lora, whose reference is its frozen base')
    }
    checkBestModel(this.args, options)
  }

  /** Trains to the end. An interrupted run resolves too, with reason 'aborted'. */
  train(options?: TrainOptions): Promise<TrainResult> {
    return finish(this.events(options))
  }

  /** Trains while its events are taken; leaving the loop stops the run. */
  events(options?: TrainOptions): AsyncGenerator<TrainEvent, void> {
    return runSession(this.options, this.recipe(), options)
  }

  [Symbol.asyncIterator](): AsyncGenerator<TrainEvent, void> {
    return this.events()
  }

  /** Rewards on the evaluation dataset: `eval_reward`, `eval_rewards/<name>/mean`, … */
  async evaluate(signal = this.options.signal): Promise<Metrics> {
    const { model: policy, evalDataset: dataset = noDataset() } = this.options
    const { rewards, rewardWeights: weights, args } = this
    const encode = createEncoder(this.options, dataset)
    const scoring = { weights, timeout: args.rewardTimeout, onError: args.onRewardError }
    return evaluateRewards({ policy, dataset, encode, rewards, scoring, signal }, args)
  }

  /** Writes a whole Hugging Face folder, adapters merged. */
  saveModel(dir: string): Promise<void> {
    return this.options.model.save(dir)
  }

  private recipe(): Recipe<GRPOSample> {
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

export interface SFTTrainerOptions extends TrainerOptions {
  readonly args?: SFTConfig
}

/** Trains a policy on given completions. `for await (const event of trainer)` trains too, and shows every event. */
export class SFTTrainer implements AsyncIterable<TrainEvent> {
  /** All options, resolved. */
  readonly args: SFTValues
  private readonly options: SFTTrainerOptions

  /** Throws an InputError for options that are unknown. */
  constructor(options: SFTTrainerOptions) {
    this.options = options
    this.args = resolveSFTConfig(options.args)
    checkBestModel(this.args, options)
  }

  /** Trains to the end. An interrupted run resolves too, with reason 'aborted'. */
  train(options?: TrainOptions): Promise<TrainResult> {
    return finish(this.events(options))
  }

  /** Trains while its events are taken; leaving the loop stops the run. */
  events(options?: TrainOptions): AsyncGenerator<TrainEvent, void> {
    return runSession(this.options, this.recipe(), options)
  }

  [Symbol.asyncIterator](): AsyncGenerator<TrainEvent, void> {
    return this.events()
  }

  /** Loss and token accuracy on the evaluation dataset: `eval_loss`, `eval_mean_token_accuracy`, `eval_entropy`. */
  async evaluate(signal = this.options.signal): Promise<Metrics> {
    const { model: policy, evalDataset: dataset = noDataset() } = this.options
    return evaluateLoss({ policy, dataset, encode: createEncoder(this.options, dataset), signal }, this.args)
  }

  /** Writes a whole Hugging Face folder, adapters merged. */
  saveModel(dir: string): Promise<void> {
    return this.options.model.save(dir)
  }

  private recipe(): Recipe<SFTSample> {
    const { args: config } = this
    return {
      begin: async () => ({ algorithm: sft, dispose() {} }),
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

/** Comparing checkpoints needs evaluations to compare them by, and a place to keep them. */
function checkBestModel(args: TrainingValues, { evalDataset }: TrainerOptions): void {
  if (args.loadBestModelAtEnd && !args.metricForBestModel) {
    throw new InputError("[args] loadBestModelAtEnd: needs metricForBestModel, for example 'eval_reward'")
  }
  if (!args.metricForBestModel || (evalDataset && args.evalSteps && args.outputDir && args.saveStrategy !== 'no'))
    return
  throw new InputError('[args] metricForBestModel: needs evalDataset, evalSteps, outputDir and saveStrategy')
}

function noDataset(): never {
  throw new InputError('[evaluate] no evaluation dataset: give the trainer an evalDataset')
}
