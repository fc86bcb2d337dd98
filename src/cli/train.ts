/** What the training commands share: their arguments, the model's life, progress, Ctrl-C, the report at the end. */
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
import { modelName, modelOptions } from './run-config.js'

/** What a training command hands to its trainer besides its own options. */
export interface TrainingParts {
  readonly model: Policy
  readonly reporters: readonly Reporter[]
  readonly signal: AbortSignal
}

/** A checked configuration, ready to run. */
export interface Training {
  readonly outputDir: string
  readonly train: (parts: TrainingParts, options: TrainOptions) => Promise<TrainResult>
}

/** A command `name <config.yaml> [--key value] [--resume]`; `prepare` checks the configuration before anything is loaded. */
export function addTrainingCommand(
  program: Command,
  command: { name: string; description: string; shape: Shape; help: string },
  prepare: (config: Config) => Promise<Training>,
): void {
  program
    .command(command.name)
    .description(command.description)
    .usage('<config.yaml> [--key value ...] [--resume]')
    .argument('<config.yaml>', 'the configuration; relative paths in it start from its folder')
    .argument('[overrides...]', '--key value: any option of the file, e.g. --learning-rate 1e-6')
    .option('--resume', 'go on from the newest checkpoint in outputDir')
    .allowUnknownOption()
    .addHelpText('after', command.help)
    .action(async (file: string, overrides: string[], { resume = false }: { resume?: boolean }) => {
      const config = readConfig(file, overrides, command.shape)
      const model = modelName(config)
      const options = modelOptions(config)
      await runTraining(await prepare(config), { model, options, resume })
    })
}

interface RunOptions {
  readonly model: string
  readonly options: LoadModelOptions
  readonly resume: boolean
}

async function runTraining({ outputDir, train }: Training, { model, options, resume }: RunOptions): Promise<void> {
  checkFolder(outputDir, resume)
  const result = await interruptible(async (signal) => {
    const policy = await loadModel(model, options)
    try {
      const folder = runFolder(outputDir, { versions: { vsgrpo: version } })
      return await train({ model: policy, reporters: [folder, progress()], signal }, { resumeFromCheckpoint: resume })
    } finally {
      policy.dispose()
    }
  })
  process.stderr.write(`report: ${await writeReport(outputDir)}\n`)
  if (result.reason === 'aborted') process.exitCode = 130
}

/** A second run into the same folder would mix with the first one's checkpoints. */
function checkFolder(outputDir: string, resume: boolean): void {
  const checkpoint = new Checkpoints(outputDir).latest()
  if (resume && !checkpoint) throw new InputError(`${outputDir}: no checkpoint to go on from; start without --resume`)
  const begun = checkpoint !== undefined || readLines(join(outputDir, 'metrics.jsonl')).length > 0
  if (begun && !resume) {
    throw new InputError(
      `${outputDir} already holds a run: go on with --resume, give another --output-dir, or remove it`,
    )
  }
}
