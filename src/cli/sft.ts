/** `vsgrpo sft`: trains a model on given answers. */
import type { Command } from 'commander'
import { resolveSFTConfig } from '../train/sft-config.js'
import { SFTTrainer } from '../train/trainer.js'
import type { Config, Shape } from './config.js'
import { commonShape, locating, openDataset, shapeOf, trainingArgs } from './run-config.js'
import { addTrainingCommand, type Training } from './train.js'

const shape: Shape = { ...commonShape, args: shapeOf(resolveSFTConfig()) }

export function register(program: Command): void {
  addTrainingCommand(program, { name: 'sft', description: 'train a model on given answers', shape, help }, prepare)
}

async function prepare(config: Config): Promise<Training> {
  const { outputDir, ...given } = trainingArgs(config)
  const args = { ...locating(config, () => resolveSFTConfig(given)), outputDir }
  const trainDataset = openDataset(config, 'trainDataset')
  const evalDataset = openDataset(config, 'evalDataset')
  return {
    outputDir,
    train: (parts, options) => new SFTTrainer({ ...parts, trainDataset, evalDataset, args }).train(options),
  }
}

const help = `
config.yaml:
  model: models/Qwen2-VL-2B-Instruct     # a Hugging Face folder
  trainDataset: train.jsonl              # rows {"messages": [...], "completion": "..."}
  evalDataset: test.jsonl                # optional
  lora: { r: 16 }                        # optional; without it all weights train
  args:                                  # TRL's names, in camelCase or snake_case
    learningRate: 2e-5
    perDeviceTrainBatchSize: 16
    numTrainEpochs: 1
    outputDir: runs/first                # default: runs/<name of the file>

The loss is on the completion's tokens only, unless completionOnlyLoss is false. The run folder holds config.json,
metrics.jsonl, checkpoints/step-N and report.html. Ctrl-C saves a checkpoint and exits with 130; --resume goes on from it.

Example:
  vsgrpo sft config.yaml --learning-rate 1e-5`
