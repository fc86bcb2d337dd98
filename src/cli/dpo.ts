/** `vsgrpo dpo`: trains a model on preferences. */
import type { Command } from 'commander'
import type { Dataset } from '../data/index.js'
import { preferencePairs } from '../data/pairs.js'
import { resolveDPOConfig } from '../train/dpo-config.js'
import { DPOTrainer } from '../train/trainer.js'
import type { Config, Shape } from './config.js'
import { commonShape, locating, openDataset, shapeOf, trainingArgs } from './run-config.js'
import { addTrainingCommand, type Training } from './train.js'

const pairs: Shape = { hardness: null, ratio: null, seed: null }
const shape: Shape = { ...commonShape, pairs, args: shapeOf(resolveDPOConfig()) }

export function register(program: Command): void {
  addTrainingCommand(program, { name: 'dpo', description: 'train a model on preferences (DPO)', shape, help }, prepare)
}

async function prepare(config: Config): Promise<Training> {
  const { outputDir, ...given } = trainingArgs(config)
  const args = { ...locating(config, () => resolveDPOConfig(given)), outputDir }
  const trainDataset = withPairs(config, openDataset(config, 'trainDataset'))
  const evalRows = openDataset(config, 'evalDataset')
  const evalDataset = evalRows && withPairs(config, evalRows)
  return {
    outputDir,
    train: (parts, options) => new DPOTrainer({ ...parts, trainDataset, evalDataset, args }).train(options),
  }
}

/** `pairs`: the datasets are questions, whose wrong answers are made. */
function withPairs(config: Config, dataset: Dataset): Dataset {
  const given = config.section('pairs')
  const isWanted = config.get('pairs') === true || Object.keys(given).length > 0
  return isWanted ? locating(config, () => preferencePairs(dataset, given)) : dataset
}

const help = `
config.yaml:
  model: models/Qwen2-VL-2B-Instruct     # a Hugging Face folder
  trainDataset: train.jsonl              # rows {"messages": [...], "chosen": "3", "rejected": "4"}
  evalDataset: test.jsonl                # optional
  pairs: { hardness: hard }              # optional: rows are questions with answers, the wrong ones are made
  lora: { r: 16 }                        # optional; without it all weights train, and the reference is a second model
  args:                                  # TRL's names, in camelCase or snake_case
    learningRate: 5e-6
    beta: 0.1
    lossType: sigmoid                    # or several: [sigmoid, sft], with lossWeights: [1, 0.2]
    perDeviceTrainBatchSize: 16          # pairs
    precomputeRefLogProbs: true          # scores all pairs first, then frees the reference
    outputDir: runs/first                # default: runs/<name of the file>

The run folder holds config.json, metrics.jsonl, checkpoints/step-N and report.html. Ctrl-C saves a checkpoint and exits
with 130; --resume goes on from it.

Example:
  vsgrpo dpo config.yaml --learning-rate 1e-6`
