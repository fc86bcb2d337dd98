/** `vsgrpo questions`: scene records in, questions out; or given questions in, the records' answers out. */
import { existsSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { writeAtomically } from '../atomic-file.js'
import { answerAll, buildQuestions, readQuestions, trainingRow } from '../data/questions/index.js'
import { answerStyles, type BuildOptions, type Filters, planOf, presets } from '../data/questions/options.js'
import { questionKinds } from '../data/questions/question.js'
import { wordings } from '../data/questions/wording.js'
import { type Definition, definitions, readScenes, type Scenes, vocabularies } from '../data/scenes/index.js'
import { InputError } from '../errors.js'
import { oneOf } from '../option-checks.js'
import { addRequired, numberIn, parseTasks } from './options.js'
import { checkOutputs } from './outputs.js'
import { say, sayCount } from './talk.js'

interface QuestionsOptions extends Omit<BuildOptions, 'limits' | 'filters' | 'style'> {
  readonly scenes: readonly string[]
  readonly labels?: string
  readonly vocabulary: (typeof vocabularies)[number]
  readonly output: string
  readonly answer?: string
  readonly answerStyle?: BuildOptions['style']
  readonly limit?: number
  readonly filter?: Partial<Filters>
  readonly videos?: string
  readonly saveScenes?: string
}

export function register(program: Command): void {
  const command = program
    .command('questions')
    .description('make questions about scanned rooms from their records, or answer given ones')
  addRequired(command, '--scenes <paths...>', 'files of scene records, or folders of ScanNet scans')
  const count = numberIn({ min: 1, integer: true })
  command
    .option('--output <file>', 'where the rows go; - is stdout', '-')
    .addOption(
      new Option('--answer <file>', 'answer these questions instead').conflicts([
        ...['preset', 'tasks', 'wording', 'answerStyle', 'perScene', 'limit', 'seed', 'filter', 'videos'],
      ]),
    )
    .addOption(choice('--definition <name>', 'what distance means (default: benchmark, or of the preset)', definitions))
    .addOption(choice('--preset <name>', "defaults: VSI-Bench's, or VSI-100k's", Object.keys(presets)))
    .option('--tasks <names>', `kinds of question, with commas: ${questionKinds.join(', ')}`, parseTasks)
    .addOption(choice('--wording <name>', 'whose sentences', wordings))
    .addOption(choice('--answer-style <name>', 'how a choice is answered', answerStyles))
    .option('--per-scene <n>', 'most questions of a kind about one scene', count)
    .option('--limit <n>', 'most questions of a kind in all', count)
    .option('--seed <n>', 'the same seed gives the same questions', numberIn({ min: 0, integer: true }))
    .option('--no-balance', 'do not prefer questions with rare answers')
    .option('--filter <name=value>', 'a margin, e.g. angleMargin=15; may be repeated', addFilter)
    .option('--videos <dir>', 'write rows to train on, with films <dir>/<dataset>/<scene>.mp4')
    .option('--allow-test-scenes', 'allow scenes that VSI-Bench and ScanNet test on')
    .option('--labels <file>', 'scannetv2-labels.combined.tsv, for scans')
    .addOption(choice('--vocabulary <name>', "which of a scan's labels count", vocabularies).default('benchmark'))
    .option('--save-scenes <file>', 'also write the scene records, which take seconds per scan to make')
    .addHelpText('after', help)
    .action(run)
}

function run(options: QuestionsOptions): void {
  if (options.answer === undefined) planOf(buildOptions(options))
  const { labels, vocabulary, output, saveScenes } = options
  checkOutputs({ '--output': output, '--save-scenes': saveScenes }, [...options.scenes, options.answer, labels])
  if (labels !== undefined && !existsSync(labels))
    throw new InputError(`--labels ${labels}: there is no such file; give scannetv2-labels.combined.tsv of ScanNet`)
  const scenes = readScenes(options.scenes, { labels, vocabulary, onProgress: sayCount('scans') })
  if (saveScenes !== undefined) {
    writeAtomically(saveScenes, `${JSON.stringify(Object.fromEntries(scenes))}\n`)
  }
  const rows = options.answer === undefined ? make(scenes, options) : answer(scenes, options.answer, options.definition)
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  if (output === '-') process.stdout.write(text)
  else writeAtomically(output, text)
}

function answer(scenes: Scenes, file: string, definition: Definition = 'benchmark'): readonly object[] {
  const answers = answerAll(readQuestions(file), scenes, definition)
  const unknown = answers.filter((row) => row.answer === null).length
  const rest = unknown > 0 ? '; the records cannot tell the others' : ''
  say(`${answers.length - unknown} of ${answers.length} questions answered${rest}`)
  return answers.map(({ id, answer }) => ({ id, prediction: answer ?? '' }))
}

function make(scenes: Scenes, options: QuestionsOptions): readonly object[] {
  const build = buildOptions(options)
  const rows = buildQuestions(scenes, build)
  const { limits, style } = planOf(build)
  for (const kind of planOf(build).tasks) {
    const made = rows.filter((row) => row.question_type === kind).length
    const wanted = limits[kind]
    say(`${kind}: ${made}${wanted === undefined ? '' : ` of ${wanted}`}`)
  }
  say(`${rows.length} questions about ${scenes.size} scenes`)
  const { videos } = options
  return videos === undefined ? rows : rows.map((row) => trainingRow(row, style, videos))
}

function buildOptions(options: QuestionsOptions): BuildOptions {
  const { preset, tasks, definition, wording, answerStyle: style, perScene, limit, balance, seed, filter } = options
  const limits = limit === undefined ? undefined : Object.fromEntries(questionKinds.map((kind) => [kind, limit]))
  const { allowTestScenes } = options
  return {
    preset,
    tasks,
    definition,
    wording,
    style,
    perScene,
    limits,
    balance,
    seed,
    filters: filter,
    allowTestScenes,
  }
}

function choice(flags: string, description: string, choices: readonly string[]): Option {
  return new Option(flags, description).choices(choices)
}

function addFilter(text: string, before: Partial<Filters> = {}): Partial<Filters> {
  const [name = '', value = ''] = text.split('=')
  const filter = oneOf('--filter', name.trim(), Object.keys(presets.benchmark.filters))
  return { ...before, [filter]: numberIn({ min: 0 })(value) }
}

const help = `
Output rows:  {"id", "dataset", "scene_name", "question_type", "question", "options", "ground_truth"}, VSI-Bench's fields;
              with --videos also messages, answer and completion.
With --answer: {"id", "prediction"}, as eval --predictions takes them, for rows {"id", "scene_name", "question", "options"}:
              metres and square metres to one decimal, whole centimetres, the option's letter; "" where the records cannot
              tell.
Distances:    benchmark: between the closest sample points, as VSI-Bench's; exact: between the closest points of the boxes;
              paper: between the centres, as VSI-100k's.

Example:
  vsgrpo questions --scenes scannet/scans --labels scannetv2-labels.combined.tsv --videos videos --output train.jsonl
  vsgrpo questions --scenes meta_info_val.json --answer questions.jsonl --output answers.jsonl
  vsgrpo eval --benchmark vsi-bench --questions questions.jsonl --predictions answers.jsonl`
