/** `vsgrpo eval`: a benchmark's questions, and predictions or a model that answers them, to the table of scores. */
import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { writeAtomically } from '../atomic-file.js'
import { dataRows } from '../data/stream-files.js'
import { InputError, messageOf } from '../errors.js'
import {
  answerRow,
  debiased,
  evaluatePredictions,
  type Format,
  formatReport,
  formats,
  isBenchmark,
  letterOfName,
  promptNames,
  type Question,
  readPredictions,
  readQuestions,
  withPrunedIds,
} from '../eval/index.js'
import { type Answered, type AskModelOptions, askModel } from './eval-model.js'
import { addModelOptions, addRequired, numberIn } from './options.js'
import { checkOutputs } from './outputs.js'
import { say } from './talk.js'

const subsets = ['full', 'debiased'] as const

interface EvalOptions extends Omit<AskModelOptions, 'model'> {
  readonly benchmark: 'vsi-bench'
  readonly predictions?: string
  readonly model?: string
  readonly format: Format
  readonly acceptNames: boolean
  readonly subset: (typeof subsets)[number]
  readonly prunedIds?: string
  readonly trainQuestions?: string
  readonly resamples: number
  readonly seed: number
}

export function register(program: Command): void {
  const command = program.command('eval').description('score a model, or predictions, on a benchmark')
  addRequired(command, '--benchmark <name>', 'vsi-bench', benchmark)
  addRequired(
    command,
    '--questions <file>',
    'questions with their answers: .jsonl, .json or .parquet, or hf://datasets/…',
  )
  command
    .option('--predictions <file>', 'score these rows instead of asking a model')
    .option('--model <dir>', 'Hugging Face folder of a Qwen2-VL model, or a checkpoint of a run')
    .option(
      '--videos <path>',
      "folder of <dataset>/<scene_name>.mp4, of zip archives of them or of folders of frames; an archive; or hf://datasets/…; default: VSI-Bench in the Hub's cache",
    )
    .option(
      '--output <file>',
      'where each question goes with its answer and points; the answers of a model that are there are kept',
    )
    .addOption(new Option('--format <name>', 'of the table on stdout').choices(formats).default('text'))
    .addOption(
      new Option('--prompt <name>', 'wording; row: the messages of the rows').choices(promptNames).default('vanilla'),
    )
    .option('--frames <n>', 'frames taken of each video, evenly spaced', numberIn({ min: 2, integer: true }), 32)
    .option(
      '--max-new-tokens <n>',
      'longest answer; default 16, or 512 for thoughts',
      numberIn({ min: 1, integer: true }),
    )
    .option('--accept-names', "an option's text counts as its letter (not the published rule)", false)
    .addOption(
      new Option(
        '--subset <name>',
        'which questions; full also reports the Debiased score where the rows say which are pruned',
      )
        .choices(subsets)
        .default('full'),
    )
    .option('--pruned-ids <file>', 'ids that the Debiased subset leaves out, one a line; default: the column "pruned"')
    .option('--train-questions <file>', 'fit the blind controls on these; default: on the other half of the scenes')
    .option('--resamples <n>', 'draws for the intervals', numberIn({ min: 100, integer: true }), 1000)
    .option('--seed <n>', 'seed of these draws', numberIn({ min: 0, integer: true }), 0)
  addModelOptions(command).addHelpText('after', help).action(run)
}

async function run(options: EvalOptions): Promise<void> {
  checkSource(options)
  const { questions: file, predictions: given, prunedIds, trainQuestions } = options
  checkOutputs({ '--output': options.output }, [file, given, prunedIds, trainQuestions])
  const questions = await loadQuestions(options)
  const training = options.trainQuestions ? await questionsOf(options.trainQuestions) : undefined
  const { name, predictions, settings } = await answersTo(questions, options)
  const scored = options.acceptNames
    ? predictions.map((text, i) => letterOfName(text, questions[i]?.options ?? null))
    : predictions
  const { seed, resamples, subset } = options
  const evaluation = evaluatePredictions(questions, scored, { seed, resamples, training })
  const rule = options.acceptNames ? "an option's text counts as its letter" : 'published'
  const report = { name, evaluation, subset, settings: { ...settings, rule, subset, resamples, seed } }
  process.stdout.write(formatReport({ ...report, isBenchmark: isBenchmark(questions) }, options.format))
  if (options.format !== 'text') for (const warning of evaluation.warnings) say(`warning: ${warning}`)
  if (isBenchmark(questions) && questions.some(({ pruned }) => pruned === undefined)) {
    say('no Debiased score: the rows have no column "pruned"; give --pruned-ids with the published list')
  }
}

/** Predictions or a model. */
function checkSource({ predictions, model }: EvalOptions): void {
  if ((predictions === undefined) !== (model === undefined)) return
  const got = predictions === undefined ? 'neither' : 'both'
  throw new InputError(`eval: expected --predictions or --model, got ${got}; see vsgrpo eval --help`)
}

async function questionsOf(file: string): Promise<Question[]> {
  return readQuestions(await dataRows(file), file)
}

async function loadQuestions({ questions: file, prunedIds, subset }: EvalOptions): Promise<Question[]> {
  const all = await questionsOf(file)
  const questions = prunedIds ? withPrunedIds(all, readIds(prunedIds), prunedIds) : all
  return subset === 'debiased' ? debiased(questions, file) : questions
}

function readIds(file: string): Set<string> {
  try {
    const lines = readFileSync(file, 'utf8').split('\n')
    return new Set(lines.map((line) => line.trim()).filter((line) => line !== ''))
  } catch (error) {
    throw new InputError(`--pruned-ids: cannot read ${file}: ${messageOf(error)}`, { cause: error })
  }
}

async function answersTo(questions: readonly Question[], options: EvalOptions): Promise<Answered> {
  const { predictions: file, model = '', output } = options
  if (file === undefined) return askModel({ ...options, model }, questions)
  const ids = questions.map(({ id }) => id)
  const { texts, unused } = readPredictions(await dataRows(file), ids, file)
  if (unused.length > 0) say(`${file}: ${unused.length} predictions for other questions left aside`)
  const rows = questions.map((question, i) => answerRow(question, { id: question.id, prediction: texts[i] ?? '' }))
  if (output !== undefined) writeAtomically(output, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return { name: file, predictions: texts, settings: { predictions: file } }
}

function benchmark(name: string): 'vsi-bench' {
  if (name === 'vsi-bench') return name
  throw new InputError(`--benchmark: expected vsi-bench, got '${name}'`)
}

const help = `
Questions:    {"id": 0, "dataset": "arkitscenes", "scene_name": "41069025", "question_type": "object_counting",
               "question": "How many table(s) are in this room?", "options": null, "ground_truth": "4"}
Predictions:  {"id": 0, "prediction": "4"}, one for each question
Prompts:      vanilla: the benchmark's own; think, observe (with tags) and short: the paper's training prompts;
              think-free, observe-free: its study's; row: the messages of the rows, for sets of your own

Output rows:  {"id", "prediction", "completion", "finishReason", the question's fields, "score": 0 to 1, "settings"}
Debiased:     needs the column "pruned" of the rows published since November 2025, or their pruned_ids.txt

Example:
  vsgrpo eval --benchmark vsi-bench --questions hf://datasets/nyu-visionx/VSI-Bench/test.jsonl \\
    --videos hf://datasets/nyu-visionx/VSI-Bench --model runs/vsgrpo-2b/model --output a.jsonl
  vsgrpo eval --benchmark vsi-bench --questions q.jsonl --predictions a.jsonl --format latex`
