/** `vsgrpo grpo`: trains a model on rewards. */
import type { Command } from 'commander'
import { InputError } from '../errors.js'
import { checkWeights } from '../rewards/combine.js'
import { checkSyncRefModel, checkTraining } from '../train/checks.js'
import { resolveGRPOConfig } from '../train/grpo/config.js'
import { GRPOTrainer } from '../train/index.js'
import type { Config, Shape } from './config.js'
import { loadRewards } from './reward-funcs.js'
import { commonShape, locating, modelOptions, readDataset, shapeOf, trainingArgs } from './run-config.js'
import { addTrainingCommand, type Training, type TrainingCommand } from './train.js'

const shape: Shape = { ...commonShape, rewardFuncs: null, rewardWeights: null, args: shapeOf(resolveGRPOConfig()) }

/** The command as `vsgrpo plan` needs it too. */
export function describeTraining(): TrainingCommand {
  return { name: 'grpo', description: 'train a model on rewards (GRPO)', shape, help, prepare }
}

export function register(program: Command): void {
  addTrainingCommand(program, describeTraining())
}

async function prepare(config: Config): Promise<Training> {
  const { outputDir, ...given } = trainingArgs(config)
  const args = { ...locating(config, () => resolveGRPOConfig(given)), outputDir }
  const rewardFuncs = await loadRewards(config)
  const rewardWeights = checkWeights(rewardFuncs, readWeights(config, rewardFuncs.length))
  const trainDataset = await readDataset(config, 'trainDataset')
  const evalDataset = await readDataset(config, 'evalDataset')
  locating(config, () => checkTraining(args, evalDataset))
  locating(config, () => checkSyncRefModel(args, modelOptions(config).lora))
  return {
    algorithm: 'grpo',
    outputDir,
    trainDataset,
    given,
    train: ({ picked, ...parts }, options) =>
      new GRPOTrainer({
        ...parts,
        trainDataset,
        evalDataset,
        rewardFuncs,
        rewardWeights,
        args: { ...args, ...picked },
      }).train(options),
  }
}

function readWeights(config: Config, count: number): number[] | undefined {
  const value = config.get('rewardWeights')
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value) && value.length === count && value.every((weight) => typeof weight === 'number'))
    return value
  const problem = `expected one number per reward (${count}), got ${JSON.stringify(value)}`
  throw new InputError(`${config.where('rewardWeights')}: ${config.told('rewardWeights', problem)}`, {
    code: 'ERR_VSGRPO_CONFIG',
  })
}

const help = `
config.yaml:
  model: models/Qwen2-VL-2B-Instruct     # a Hugging Face folder
  trainDataset: train.jsonl              # rows {"messages": [...], "answer": ...}; other columns reach the rewards
                                         # also parquet, a folder, hf://datasets/org/name, or { path, split, badRows: skip }
  evalDataset: test.jsonl                # optional
  rewardFuncs: [accuracy, format:think, ./rewards.mjs#short]
  rewardWeights: [1, 0.5, 0.1]           # optional
  lora: { r: 16 }                        # optional; without it all weights train
  sampling: { frames: 16 }               # optional: frames taken of each video file; default 2 per second, 4 to 768
  args:                                  # TRL's names, in camelCase or snake_case
    learningRate: 1e-5
    numGenerations: 8
    maxCompletionLength: 256
    beta: 0.001
    evalSteps: 100
    outputDir: runs/first                # default: runs/<name of the file>

Built-in rewards: accuracy, relativeAccuracy[:ratio], format:think, format:observe, format:vanilla, length,
repetition[:3[:-1]], overlong:512:128. A reward of your own is a function that a file exports: export const short = ({ text }) => (text.length < 200 ? 1 : 0)

The run folder holds config.json, metrics.jsonl, completions.jsonl, checkpoints/step-N and report.html.
Ctrl-C saves a checkpoint and exits with 130, a closed terminal with 129; --resume goes on from it.

Example:
  vsgrpo grpo config.yaml --learning-rate 1e-6 --max-steps 300`
