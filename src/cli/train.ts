/** What the training commands share: their arguments, the model's life, progress, Ctrl-C, the report at the end. */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { InputError } from '../errors.js'
import { interruptible } from '../interrupt.js'
import { readLines } from '../log/lines.js'
import { progress } from '../log/progress.js'
import type { Reporter } from '../log/reporter.js'
import { runFolder } from '../log/run-folder.js'
import { type LoadModelOptions, loadModel, type Policy } from '../policy.js'
import { writeReport } from '../report/index.js'
import { Checkpoints } from '../train/checkpoint.js'
import type { TrainOptions, TrainResult } from '../train/session.js'
import { version } from '../version.js'
import { type Config, readConfig, type Shape } from './config.js'
import { checkPlan, type Picked, type Planned } from './expected.js'
import { modelName, modelOptions } from './run-config.js'

/** What a training command hands to its trainer besides its own options. */
export interface TrainingParts {
  readonly model: Policy
  readonly reporters: readonly Reporter[]
  readonly signal: AbortSignal
  /** Goes over the options of the configuration. */
  readonly picked: Picked
}

/** A checked configuration, ready to run. */
export interface Training extends Planned {
  readonly outputDir: string
  readonly train: (parts: TrainingParts, options: TrainOptions) => Promise<TrainResult>
}

/** What one training command brings; `prepare` checks the configuration before anything is loaded. */
export interface TrainingCommand {
  readonly name: string
  readonly description: string
  readonly shape: Shape
  readonly help: string
  readonly prepare: (config: Config) => Promise<Training>
}

/** A command `name <config.yaml> [--key value] [--resume]`. */
export function addTrainingCommand(program: Command, command: TrainingCommand): void {
  program
    .command(command.name)
    .description(command.description)
    .usage('<config.yaml> [--key value ...] [--resume]')
    .argument('<config.yaml>', 'the configuration; relative paths in it start from its folder')
    .argument('[overrides...]', '--key value: any option of the file, e.g. --learning-rate 1e-6')
    .option('--resume', 'go on from the newest checkpoint in outputDir', false)
    .option('--ignore-plan', 'do not look at memory first; start also where it will not suffice', false)
    .allowUnknownOption()
    .addHelpText('after', command.help)
    .action(async (file: string, overrides: string[], flags: { resume: boolean; ignorePlan: boolean }) => {
      const config = readConfig(file, overrides, command.shape)
      const model = modelName(config)
      const options = modelOptions(config)
      await runTraining(await command.prepare(config), { model, options, ...flags })
    })
}

interface RunOptions {
  readonly model: string
  readonly options: LoadModelOptions
  readonly resume: boolean
  readonly ignorePlan: boolean
}

async function runTraining(training: Training, { ignorePlan, ...run }: RunOptions): Promise<void> {
  const { outputDir, train } = training
  const { model, options, resume } = run
  checkFolder(outputDir, run)
  // The plan's formulas were measured on the CPU: they are no reason to refuse a run on a GPU.
  const unplanned = ignorePlan || run.options.device === 'cuda'
  const expected = unplanned ? undefined : await checkPlan(training, { ...run, outputDir })
  const result = await interruptible(async (signal) => {
    const policy = await loadModel(model, options)
    if (expected) process.stderr.write(`${expected.line}\n`)
    try {
      const folder = runFolder(outputDir, { versions: { vsgrpo: version } })
      const parts = { model: policy, reporters: [folder, progress()], signal, picked: expected?.picked ?? {} }
      return await train(parts, { resumeFromCheckpoint: resume })
    } finally {
      policy.dispose()
    }
  })
  process.stderr.write(`report: ${await writeReport(outputDir)}\n`)
  if (result.reason === 'aborted') process.exitCode = 130
}

/** A second run into the same folder would mix with the first one's checkpoints. */
function checkFolder(outputDir: string, { resume }: Pick<RunOptions, 'resume'>): void {
  if (existsSync(outputDir) && !statSync(outputDir).isDirectory())
    throw new InputError(`${outputDir}: expected a folder for the run, got a file; give another --output-dir`)
  const isSaved = new Checkpoints(outputDir).newestFirst().length > 0
  if (isSaved && !resume) {
    throw new InputError(
      `${outputDir} already holds a run: go on with --resume, give another --output-dir, or remove it`,
    )
  }
  if (isSaved) return
  if (readLines(join(outputDir, 'metrics.jsonl')).length > 0) {
    throw new InputError(
      `${outputDir} holds a run without a checkpoint to go on from: remove the folder, or give another --output-dir`,
    )
  }
  if (resume) throw new InputError(`${outputDir}: no checkpoint to go on from; start without --resume`)
}
