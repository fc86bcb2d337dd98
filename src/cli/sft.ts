/** `vsgrpo sft`: trains a model on given answers. */
import type { Command } from 'commander'
import { checkTraining } from '../train/checks.js'
import { SFTTrainer } from '../train/index.js'
import { resolveSFTConfig } from '../train/sft/config.js'
import type { Config, Shape } from './config.js'
import { commonShape, locating, readDataset, shapeOf, trainingArgs } from './run-config.js'
import { addTrainingCommand, type Training, type TrainingCommand } from './train.js'

const shape: Shape = { ...commonShape, args: shapeOf(resolveSFTConfig()) }

/** The command as `vsgrpo plan` needs it too. */
export function describeTraining(): TrainingCommand {
  return { name: 'sft', description: 'train a model on given answers', shape, help, prepare }
}

export function register(program: Command): void {
  addTrainingCommand(program, describeTraining())
}

async function prepare(config: Config): Promise<Training> {
  const { outputDir, ...given } = trainingArgs(config)
  const args = { ...locating(config, () => resolveSFTConfig(given)), outputDir }
  const trainDataset = await readDataset(config, 'trainDataset')
  const evalDataset = await readDataset(config, 'evalDataset')
  locating(config, () => checkTraining(args, evalDataset))
  return {
    algorithm: 'sft',
    outputDir,
    trainDataset,
    given,
    train: ({ picked, ...parts }, options) =>
      new SFTTrainer({ ...parts, trainDataset, evalDataset, args: { ...args, ...picked } }).train(options),
  }
}

const help = `
config.yaml:
  model: models/Qwen2-VL-2B-Instruct     # a Hugging Face folder
  trainDataset: train.jsonl              # rows {"messages": [...], "completion": "..."}
                                         # also parquet, a folder, hf://datasets/org/name, or { path, split, badRows: skip }
  evalDataset: test.jsonl                # optional
  lora: { r: 16 }                        # optional; without it all weights train
  sampling: { frames: 16 }               # optional: frames taken of each video file; default 2 per second, 4 to 768
  args:                                  # TRL's names, in camelCase or snake_case
    learningRate: 2e-5
    perDeviceTrainBatchSize: 16
    numTrainEpochs: 1
    outputDir: runs/first                # default: runs/<name of the file>

The loss is on the completion's tokens only, unless completionOnlyLoss is false. The run folder holds config.json,
metrics.jsonl, checkpoints/step-N and report.html. Ctrl-C saves a checkpoint and exits with 130, a closed terminal with
129; --resume goes on from it.

Example:
  vsgrpo sft config.yaml --learning-rate 1e-5`
