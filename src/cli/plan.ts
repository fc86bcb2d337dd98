/** `vsgrpo plan`: what a run will need of memory and time, without starting it. */
import { type Command, Option } from 'commander'
import { InputError } from '../errors.js'
import { endable } from '../interrupt.js'
import { plan, table } from '../plan/index.js'
import { type Config, readConfig, type Shape } from './config.js'
import { describeTraining as dpo } from './dpo.js'
import { describeTraining as grpo } from './grpo.js'
import { numberIn } from './options.js'
import { modelName, modelOptions, readDataset } from './run-config.js'
import { describeTraining as sft } from './sft.js'
import type { TrainingCommand } from './train.js'

const commands = { grpo: grpo(), sft: sft(), dpo: dpo() }
type Name = keyof typeof commands

interface PlanCommandOptions {
  readonly json: boolean
  readonly algorithm?: Name
  /** Gigabytes. */
  readonly memory?: number
}

export function register(program: Command): void {
  program
    .command('plan')
    .description('say what a run will need of memory and time; exits with 1 when it does not fit')
    .usage('<config.yaml> [--key value ...] [--json]')
    .argument('<config.yaml>', 'the configuration of a run, as grpo, sft and dpo take it')
    .argument('[overrides...]', '--key value: any option of the file, e.g. --num-generations 14')
    .option('--json', 'all numbers, in bytes and seconds', false)
    .addOption(
      new Option('--algorithm <name>', 'whose configuration this is; default: what it and its rows look like').choices(
        Object.keys(commands),
      ),
    )
    .option('--memory <GB>', 'plan for so much memory instead of what is available here', numberIn({ min: 0.1 }))
    .allowUnknownOption()
    .addHelpText('after', help)
    .action(run)
}

async function run(file: string, overrides: string[], options: PlanCommandOptions): Promise<void> {
  const command = commands[options.algorithm ?? (await algorithmOf(file, overrides))]
  const config = readConfig(file, overrides, command.shape)
  const { algorithm, trainDataset, given } = await command.prepare(config)
  const memory = options.memory === undefined ? {} : { availableBytes: options.memory * 1e9 }
  const model = { ...modelOptions(config), model: modelName(config) }
  const made = await endable(() => plan({ ...model, ...memory, algorithm, trainDataset, args: given }))
  process.stdout.write(`${options.json ? JSON.stringify(made, null, 2) : table(made)}\n`)
  if (!made.memory.fits) process.exitCode = 1
}

/** By what only one algorithm has: rewards, made pairs, or the columns of the first row. */
async function algorithmOf(file: string, overrides: readonly string[]): Promise<Name> {
  const config = readConfig(file, overrides, anyShape())
  const has = (name: string) => config.get(name) !== undefined || Object.keys(config.section(name)).length > 0
  if (has('rewardFuncs')) return 'grpo'
  if (has('pairs')) return 'dpo'
  const row = await firstRow(config)
  if (row.chosen !== undefined) return 'dpo'
  if (row.completion !== undefined) return 'sft'
  throw new InputError(
    `${file}: neither rewardFuncs nor rows with completion, or chosen and rejected: whose configuration is it? Say --algorithm grpo, sft or dpo`,
    { code: 'ERR_VSGRPO_CONFIG' },
  )
}

async function firstRow(config: Config): Promise<Readonly<Record<string, unknown>>> {
  const dataset = await readDataset(config, 'trainDataset')
  return dataset.length > 0 ? dataset.get(0) : {}
}

/** Every name that any of the commands knows. */
function anyShape(): Shape {
  const shapes = Object.values(commands).map(({ shape }: TrainingCommand) => shape)
  return { ...Object.assign({}, ...shapes), args: Object.assign({}, ...shapes.map(({ args }) => args)) }
}

const help = `
The sizes come from the model's config.json and from some rows of the dataset, the times from measuring this machine for
about a second; no weights are read. Memory is that of the longest of these rows; seconds are those of completions which all
run to maxCompletionLength. grpo, sft and dpo make the same plan before they start, and refuse a run that does not fit.

Where the configuration has no tokensPerMicroBatch, the plan names the largest that fits, 8192 at most.

Example:
  vsgrpo plan config.yaml --num-generations 14 --memory 64`
