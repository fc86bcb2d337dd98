/** `vsgrpo generate`: prompts in, sampled answers out. */
import type { Command } from 'commander'
import { fromNative, InputError, VsgrpoError } from '../errors.js'
import { interruptible } from '../interrupt.js'
import { temperatureRange } from '../native.js'
import { loadModel, type Policy } from '../policy.js'
import type { Completion } from '../types.js'
import { addModelOptions, addRequired, loadOptions, type ModelOptions, numberIn } from './options.js'
import { checkLength, type InputRow, mapRows, openInput } from './rows.js'

interface GenerateOptions extends ModelOptions {
  readonly model: string
  readonly input: string
  readonly output: string
  readonly maxNewTokens: number
  readonly temperature: number
  readonly topK: number
  readonly topP: number
  readonly minP: number
  readonly repetitionPenalty: number
  readonly numGenerations: number
  readonly seed: number
}

export function register(program: Command): void {
  const command = program.command('generate').description('answer prompts with a model')
  addRequired(command, '--model <dir>', 'Hugging Face folder of a Qwen2-VL model, or a checkpoint of a run')
  addRequired(
    command,
    '--input <file>',
    'prompts: JSON Lines, parquet, a folder or hf://datasets/…; media paths are relative to the file',
  )
  command
    .option('--output <file>', 'where the answers go, in the order of the input; - is stdout', '-')
    .option('--max-new-tokens <n>', 'longest answer, in tokens', numberIn({ min: 1, integer: true }), 256)
    .option(
      '--temperature <t>',
      '0 always takes the most likely token',
      numberIn({ ...temperatureRange, orZero: true }),
      1,
    )
    .option('--top-k <k>', 'sample among the k most likely tokens; 0 = off', numberIn({ min: 0, integer: true }), 0)
    .option(
      '--top-p <p>',
      'sample among the most likely tokens up to this mass; 1 = off',
      numberIn({ min: 0, max: 1 }),
      1,
    )
    .option(
      '--min-p <p>',
      'drop tokens less likely than this part of the likeliest; 0 = off',
      numberIn({ min: 0, max: 1 }),
      0,
    )
    .option('--repetition-penalty <x>', 'above 1: repeat less; 1 = off', numberIn({ min: 0.01 }), 1)
    .option('--num-generations <n>', 'answers per prompt', numberIn({ min: 1, integer: true }), 1)
    .option('--seed <n>', 'the same seed gives the same answers', numberIn({ min: 0, integer: true }), 0)
  addModelOptions(command).addHelpText('after', help).action(run)
}

async function run(options: GenerateOptions, command: Command): Promise<void> {
  const input = await openInput(options)
  const load = loadOptions(options)
  await interruptible(async (signal) => {
    const policy = await loadModel(options.model, load)
    try {
      if (command.getOptionValueSource('maxNewTokens') === 'cli')
        checkAnswerLength(options.maxNewTokens, policy.processor.maxPositions)
      const answer = (rows: readonly InputRow[]): Promise<object[]> => answerRows(policy, rows, options, signal)
      await mapRows({ input, processor: policy.processor, output: options.output, answer, signal })
    } catch (error) {
      throw withOwnCure(error)
    } finally {
      policy.dispose()
    }
  })
}

function checkAnswerLength(maxNewTokens: number, maxPositions: number): void {
  if (maxNewTokens <= maxPositions) return
  throw new InputError(
    `--max-new-tokens ${maxNewTokens}: the model allows ${maxPositions} tokens, prompt and answer together; give fewer`,
  )
}

/** The cure of memory that does not suffice names options of training. */
function withOwnCure(thrown: unknown): unknown {
  const error = fromNative(thrown)
  if (!(error instanceof VsgrpoError) || error.code !== 'ERR_VSGRPO_OOM') return error
  const hint = 'Lower --max-new-tokens or --num-generations, or use smaller frames.'
  return new VsgrpoError(error.message, { code: error.code, hint, cause: error })
}

/** What each row is given depends on the seed and the row's number in the file, not on how the rows are batched. */
async function answerRows(
  policy: Policy,
  rows: readonly InputRow[],
  options: GenerateOptions,
  signal: AbortSignal,
): Promise<object[]> {
  for (const row of rows) checkLength(row, 1, policy.processor)
  const { maxNewTokens, temperature, topK, topP, minP, repetitionPenalty, numGenerations, seed } = options
  const answers = await policy.generate(
    rows.map((row) => row.prompt),
    {
      maxNewTokens,
      temperature,
      topK,
      topP,
      minP,
      repetitionPenalty,
      numGenerations,
      seed,
      keys: rows.map((row) => row.index),
      signal,
    },
  )
  return answers.map((completions) => ({ completions: completions.map(plain) }))
}

function plain({ text, ids, logps, finishReason }: Completion): object {
  return { text, ids: [...ids], logps: [...logps], finishReason }
}

const help = `
Input rows:   {"messages": [{"role": "user", "content": [{"type": "image", "image": "room.png"},
                                                         {"type": "text", "text": "How many chairs?"}]}]}
Output rows:  {"completions": [{"text": "4", "ids": [19, 151645], "logps": [-0.1, -0.01], "finishReason": "stop"}]}
              ids end with the end token when the model stopped by itself; logps are under the distribution
              that each token was drawn from: at the temperature (1 when greedy), after top-k, top-p, min-p and penalty.

Example:
  vsgrpo generate --model runs/demo/checkpoints/step-300 --input questions.jsonl --output answers.jsonl --temperature 0`
