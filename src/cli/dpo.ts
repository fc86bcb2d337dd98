/** `vsgrpo dpo`: trains a model on preferences. */
import type { Command } from 'commander'
import type { Dataset } from '../data/index.js'
import { preferencePairs } from '../data/pairs.js'
import { dataError } from '../errors.js'
import { checkSyncRefModel, checkTraining } from '../train/checks.js'
import { resolveDPOConfig } from '../train/dpo/config.js'
import { DPOTrainer } from '../train/index.js'
import type { Config, Shape } from './config.js'
import { commonShape, locating, modelOptions, readDataset, shapeOf, trainingArgs } from './run-config.js'
import { addTrainingCommand, type Training, type TrainingCommand } from './train.js'

const pairs: Shape = { hardness: null, ratio: null, seed: null }
const shape: Shape = { ...commonShape, pairs, args: shapeOf(resolveDPOConfig()) }

/** The command as `vsgrpo plan` needs it too. */
export function describeTraining(): TrainingCommand {
  return { name: 'dpo', description: 'train a model on preferences (DPO)', shape, help, prepare }
}

export function register(program: Command): void {
  addTrainingCommand(program, describeTraining())
}

async function prepare(config: Config): Promise<Training> {
  const { outputDir, ...given } = trainingArgs(config)
  const args = { ...locating(config, () => resolveDPOConfig(given)), outputDir }
  const trainDataset = withPairs(config, await readDataset(config, 'trainDataset'))
  const evalRows = await readDataset(config, 'evalDataset')
  const evalDataset = evalRows && withPairs(config, evalRows)
  locating(config, () => checkTraining(args, evalDataset))
  locating(config, () => checkSyncRefModel(args, modelOptions(config).lora))
  return {
    algorithm: 'dpo',
    outputDir,
    trainDataset,
    given,
    train: ({ picked, ...parts }, options) =>
      new DPOTrainer({ ...parts, trainDataset, evalDataset, args: { ...args, ...picked } }).train(options),
  }
}

/** `pairs`: the datasets are questions, whose wrong answers are made. */
function withPairs(config: Config, dataset: Dataset): Dataset {
  const given = config.section('pairs')
  const isWanted = config.get('pairs') === true || Object.keys(given).length > 0
  if (isWanted) return locating(config, () => preferencePairs(dataset, given))
  if (config.get('args.onUnusableRow') !== 'skip') refuseQuestions(dataset)
  return dataset
}

/** Before the model is loaded: what looks like a set of questions lacks one line of the configuration. */
function refuseQuestions(dataset: Dataset): void {
  if (dataset.length === 0) return
  const { chosen, rejected, answer, completion } = dataset.get(0)
  if (chosen !== undefined || rejected !== undefined || (answer ?? completion) === undefined) return
  throw dataError(
    `${dataset.where?.(0)}: chosen, rejected: expected two answers, got a question with its answer; ` +
      'give both, or have wrong answers made: pairs: { hardness: hard }',
  )
}

const help = `
config.yaml:
  model: models/Qwen2-VL-2B-Instruct     # a Hugging Face folder
  trainDataset: train.jsonl              # rows {"messages": [...], "chosen": "3", "rejected": "4"}
                                         # also parquet, a folder, hf://datasets/org/name, or { path, split, badRows: skip }
  evalDataset: test.jsonl                # optional
  pairs: { hardness: hard }              # optional: rows are questions with answers, the wrong ones are made
  lora: { r: 16 }                        # optional; without it all weights train, and the reference is a second model
  sampling: { frames: 16 }               # optional: frames taken of each video file; default 2 per second, 4 to 768
  args:                                  # TRL's names, in camelCase or snake_case
    learningRate: 5e-6
    beta: 0.1
    lossType: sigmoid                    # or several: [sigmoid, sft], with lossWeights: [1, 0.2]
    perDeviceTrainBatchSize: 16          # pairs
    precomputeRefLogProbs: true          # scores all pairs first, then frees the reference
    outputDir: runs/first                # default: runs/<name of the file>

The run folder holds config.json, metrics.jsonl, checkpoints/step-N and report.html. Ctrl-C saves a checkpoint and exits
with 130, a closed terminal with 129; --resume goes on from it.

Example:
  vsgrpo dpo config.yaml --learning-rate 1e-6`
