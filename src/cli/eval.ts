/** `vsgrpo eval`: a benchmark's questions, and predictions or a model that answers them, to the table of scores. */
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Command, Option } from 'commander'
import { parseRow } from '../data/row.js'
import { dataRows } from '../data/stream-files.js'
import { InputError, messageOf } from '../errors.js'
import {
  AnswerFile,
  type Asked,
  answerTokens,
  askAll,
  evaluatePredictions,
  type Format,
  findVideos,
  fingerprint,
  formatReport,
  formats,
  isBenchmark,
  letterOfName,
  type PromptName,
  predictionOf,
  promptNames,
  type Question,
  questionMessages,
  readPredictions,
  readQuestions,
  type Settings,
  sceneOf,
  withPrunedIds,
} from '../eval/index.js'
import { interruptible } from '../interrupt.js'
import { duration } from '../log/format.js'
import { findModelFolder } from '../model-folder.js'
import { loadModel } from '../policy.js'
import { addModelOptions, addRequired, loadOptions, type ModelOptions, numberIn } from './options.js'

interface EvalOptions extends ModelOptions {
  readonly benchmark: 'vsi-bench'
  readonly questions: string
  readonly predictions?: string
  readonly model?: string
  readonly videos?: string
  readonly output?: string
  readonly format: Format
  readonly prompt: PromptName
  readonly frames: number
  readonly maxNewTokens?: number
  readonly acceptNames: boolean
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
    .option('--videos <dir>', 'folder of <dataset>/<scene_name>.mp4, or of folders of frames')
    .option('--output <file>', "where the model's answers go, row by row; rows that are there are kept")
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
    .option('--pruned-ids <file>', 'ids that the Debiased subset leaves out, one a line')
    .option('--train-questions <file>', 'fit the blind controls on these; default: on the other half of the scenes')
    .option('--resamples <n>', 'draws for the intervals', numberIn({ min: 100, integer: true }), 1000)
    .option('--seed <n>', 'of these draws', numberIn({ min: 0, integer: true }), 0)
  addModelOptions(command).addHelpText('after', help).action(run)
}

async function run(options: EvalOptions): Promise<void> {
  checkSource(options)
  const questions = await loadQuestions(options)
  const training = options.trainQuestions ? await questionsOf(options.trainQuestions) : undefined
  const { name, predictions, settings } = options.predictions
    ? await readGiven(options.predictions, questions)
    : await askModel(options, questions)
  const scored = options.acceptNames
    ? predictions.map((text, i) => letterOfName(text, questions[i]?.options ?? null))
    : predictions
  const { seed, resamples } = options
  const evaluation = evaluatePredictions(questions, scored, { seed, resamples, training })
  const report = {
    name,
    evaluation,
    settings: {
      ...settings,
      rule: options.acceptNames ? "an option's text counts as its letter" : 'published',
      resamples,
      seed,
    },
    isBenchmark: isBenchmark(questions),
  }
  process.stdout.write(formatReport(report, options.format))
  if (options.format !== 'text') for (const warning of evaluation.warnings) say(`warning: ${warning}`)
  if (!evaluation.debiased && report.isBenchmark) {
    say('no Debiased score: the rows have no column "pruned"; give --pruned-ids with the published list')
  }
}

/** Predictions or a model, and what each needs. */
function checkSource({ predictions, model, videos, prompt }: EvalOptions): void {
  if ((predictions === undefined) === (model === undefined)) {
    const got = predictions === undefined ? 'neither' : 'both'
    throw new InputError(`eval: expected --predictions or --model, got ${got}; see vsgrpo eval --help`)
  }
  if (model !== undefined && videos === undefined && prompt !== 'row') {
    throw new InputError('--videos <dir> is missing: the folder of the videos that the questions are about')
  }
}

async function questionsOf(file: string): Promise<Question[]> {
  return readQuestions(await dataRows(file), file)
}

async function loadQuestions({ questions: file, prunedIds }: EvalOptions): Promise<Question[]> {
  const questions = await questionsOf(file)
  return prunedIds ? withPrunedIds(questions, readIds(prunedIds), prunedIds) : questions
}

function readIds(file: string): Set<string> {
  try {
    const lines = readFileSync(file, 'utf8').split('\n')
    return new Set(lines.map((line) => line.trim()).filter((line) => line !== ''))
  } catch (error) {
    throw new InputError(`--pruned-ids: cannot read ${file}: ${messageOf(error)}`, { cause: error })
  }
}

interface Answered {
  readonly name: string
  readonly predictions: readonly string[]
  readonly settings: Settings
}

async function readGiven(file: string, questions: readonly Question[]): Promise<Answered> {
  const ids = questions.map(({ id }) => id)
  const { texts, unused } = readPredictions(await dataRows(file), ids, file)
  if (unused.length > 0) say(`${file}: ${unused.length} predictions for other questions left aside`)
  return { name: file, predictions: texts, settings: { predictions: file } }
}

async function askModel(options: EvalOptions, questions: readonly Question[]): Promise<Answered> {
  const { model = '', prompt, frames, output } = options
  const asked = askedOf(options, questions)
  const maxNewTokens = options.maxNewTokens ?? answerTokens(prompt)
  const load = loadOptions(options)
  const settings: Settings = {
    ...{ model, weights: fingerprint(findModelFolder(model)), prompt, frames, maxNewTokens },
    ...{ processor: options.processor, ropeCompat: options.ropeCompat, dtype: options.dtype },
  }
  const answers = new AnswerFile(
    output,
    settings,
    questions.map(({ id }) => id),
  )
  if (answers.size > 0) say(`${output}: ${answers.size} of ${questions.length} questions are answered already`)
  try {
    await interruptible(async (signal) => {
      if (answers.size === questions.length) return
      const policy = await loadModel(model, { ...load, processor: { ...load.processor, sampling: { frames } } })
      try {
        await askAll(asked, { policy, answers, maxNewTokens, signal, onProgress: progress(answers.size) })
      } finally {
        policy.dispose()
      }
    })
  } finally {
    answers.close()
  }
  return { name: model, predictions: questions.map(({ id }) => answers.get(id)?.prediction ?? ''), settings }
}

/** Messages and videos of all questions, found before the model is loaded: what is missing costs no waiting. */
function askedOf({ questions: file, videos, prompt, frames }: EvalOptions, questions: readonly Question[]): Asked[] {
  const found = prompt === 'row' ? undefined : findVideos(questions, videos ?? '', frames)
  const mediaRoot = videos ?? dirname(file)
  return questions.map((question) => {
    const { id, where, messages } = question
    const scene = sceneOf(question)
    const video = found?.get(scene)
    const own =
      prompt === 'row' || video === undefined ? parseRow({ messages }, { where, mediaRoot }).messages : undefined
    return {
      ...{ id, where, scene },
      messages: own ?? questionMessages(question, prompt === 'row' ? 'vanilla' : prompt, video ?? ''),
      read: (completion) => predictionOf(completion, prompt),
    }
  })
}

function progress(before: number): (done: number, total: number) => void {
  const startedAt = Date.now()
  let saidAt = startedAt
  return (done, total) => {
    const now = Date.now()
    if (done < total && now - saidAt < 5000) return
    saidAt = now
    const seconds = (now - startedAt) / 1000
    const left = (seconds * (total - done)) / (done - before)
    say(`${done}/${total} questions  ${done < total ? `${duration(left)} left` : `in ${duration(seconds)}`}`)
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
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

Example:
  vsgrpo eval --benchmark vsi-bench --questions q.jsonl --model runs/vsgrpo-2b/model --videos vsi-bench --output a.jsonl
  vsgrpo eval --benchmark vsi-bench --questions q.jsonl --predictions a.jsonl --format latex`
