/** What the training commands share: their arguments, the model's life, progress, Ctrl-C, the report at the end. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { checkWritable } from '../atomic-file.js'
import { InputError } from '../errors.js'
import { interruptible } from '../interrupt.js'
import { readLines } from '../log/lines.js'
import { progress } from '../log/progress.js'
import type { Reporter } from '../log/reporter.js'
import { readFacts, runFolder } from '../log/run-folder.js'
import { type LoadModelOptions, loadModel, type Policy } from '../policy.js'
import { writeReport } from '../report/index.js'
import { Checkpoints, readState } from '../train/checkpoint.js'
import type { TrainOptions, TrainResult } from '../train/session.js'
import { version } from '../version.js'
import { type Config, readConfig, type Shape } from './config.js'
import { exitCodeOf } from './exit.js'
import { checkPlan, type Picked, type Planned } from './expected.js'
import { modelName, modelOptions } from './run-config.js'
import { say } from './talk.js'

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

/** A command `name <config.yaml> [--key value] [--resume [folder]]`. */
export function addTrainingCommand(program: Command, command: TrainingCommand): void {
  program
    .command(command.name)
    .description(command.description)
    .usage('<config.yaml> [--key value ...] [--resume [folder]]')
    .argument('<config.yaml>', 'the configuration; relative paths in it start from its folder')
    .argument('[overrides...]', '--key value: any option of the file, e.g. --learning-rate 1e-6')
    .addOption(
      new Option('--resume [folder]', 'go on from the newest checkpoint in outputDir, or from this one')
        .argParser(checkpointFolder)
        .default(false),
    )
    .option('--ignore-plan', 'do not look at memory first; start also where it will not suffice', false)
    .allowUnknownOption()
    .addHelpText('after', command.help)
    .action(async (file: string, overrides: string[], flags: Pick<RunOptions, 'resume' | 'ignorePlan'>) => {
      const config = readConfig(file, overrides, command.shape)
      const model = modelName(config)
      const options = modelOptions(config)
      await runTraining(await command.prepare(config), { model, options, ...flags })
    })
}

interface RunOptions {
  readonly model: string
  readonly options: LoadModelOptions
  /** A checkpoint's folder, or true for the newest in outputDir. */
  readonly resume: boolean | string
  readonly ignorePlan: boolean
}

async function runTraining(training: Training, { ignorePlan, ...run }: RunOptions): Promise<void> {
  const { outputDir, train } = training
  const { model, options } = run
  const resume = startOf(outputDir, run)
  // The plan's formulas were measured on the CPU: they are no reason to refuse a run on a GPU.
  const unplanned = ignorePlan || run.options.device === 'cuda'
  const expected = unplanned ? undefined : await checkPlan(training, { ...run, resume, outputDir })
  const exitCode = await interruptible(async (signal) => {
    const policy = await loadModel(model, options)
    if (expected) say(expected.line)
    try {
      const folder = runFolder(outputDir, { versions: { vsgrpo: version } })
      const parts = { model: policy, reporters: [folder, progress()], signal, picked: expected?.picked ?? {} }
      const { reason } = await train(parts, { resumeFromCheckpoint: resume })
      return reason === 'aborted' ? exitCodeOf(signal.reason) : 0
    } finally {
      policy.dispose()
    }
  })
  say(`report: ${await writeReport(outputDir)}`)
  if (exitCode !== 0) process.exitCode = exitCode
}

/** `--resume config.yaml` would take the configuration for the folder. */
function checkpointFolder(text: string): string {
  if (statSync(text, { throwIfNoEntry: false })?.isDirectory()) return text
  throw new InvalidArgumentError('Expected the folder of a checkpoint, or nothing for the newest in outputDir.')
}

/** Where the run begins, as `--resume` says. A second run into the same folder would mix with the first one's files. */
function startOf(outputDir: string, { resume }: Pick<RunOptions, 'resume'>): boolean | string {
  if (existsSync(outputDir) && !statSync(outputDir).isDirectory())
    throw new InputError(`${outputDir}: expected a folder for the run, got a file; give another --output-dir`)
  checkWritable(outputDir)
  const isNamed = typeof resume === 'string'
  if (isNamed) readState(resume)
  const isSaved = new Checkpoints(outputDir).newestFirst().length > 0
  const isOther = isNamed && dirname(resolve(resume)) !== resolve(outputDir, 'checkpoints')
  if (isSaved && (isOther || resume === false)) {
    throw new InputError(
      `${outputDir} already holds a run: go on with --resume, give another --output-dir, or remove it`,
    )
  }
  return isSaved || isNamed ? resume : startOfUnsaved(outputDir, resume)
}

/** Where there is no checkpoint: at the first step, unless that would cost what a run has left behind. */
function startOfUnsaved(outputDir: string, resume: boolean): false {
  const failed = failedStep(outputDir)
  if (failed !== undefined) {
    throw new InputError(
      `${outputDir} holds a run without a checkpoint, but for that of a failed step: see the step again with --resume ${failed}, or give another --output-dir`,
    )
  }
  const hasRows = readLines(join(outputDir, 'metrics.jsonl')).length > 0
  if (!hasRows && resume) throw new InputError(`${outputDir}: no checkpoint to go on from; start without --resume`)
  if (!hasRows) return false
  // A run that ended before its first checkpoint comes to the same rows again.
  if (readFacts(outputDir)?.step !== 0)
    throw new InputError(`${outputDir} holds a run without a checkpoint to go on from: give another --output-dir`)
  if (!resume) {
    throw new InputError(
      `${outputDir} holds a run that ended before its first checkpoint: start it anew with --resume, or give another --output-dir`,
    )
  }
  say(`${outputDir}: no checkpoint yet; the run starts anew`)
  return false
}

/** The newest `failed-step-N`. */
function failedStep(outputDir: string): string | undefined {
  const folder = join(outputDir, 'checkpoints')
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^failed-step-\d+$/.test(name)) : []
  const [newest] = names.sort((a, b) => Number(b.slice(12)) - Number(a.slice(12)))
  return newest === undefined ? undefined : join(folder, newest)
}
