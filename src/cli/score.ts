/** `vsgrpo score`: prompts with completions in, log-probabilities of the completions' tokens out. */
import type { Command } from 'commander'
import type { Dataset } from '../data/index.js'
import { InputError } from '../errors.js'
import { interruptible } from '../interrupt.js'
import { loadModel, type Policy } from '../policy.js'
import { addModelOptions, addRequired, loadOptions, type ModelOptions } from './options.js'
import { checkLength, type InputRow, mapRows, openInput } from './rows.js'

interface ScoreOptions extends ModelOptions {
  readonly model: string
  readonly input: string
  readonly output: string
}

export function register(program: Command): void {
  const command = program.command('score').description('give the log-probability of every token of given answers')
  addRequired(command, '--model <dir>', 'Hugging Face folder of a Qwen2-VL model, or a checkpoint of a run')
  addRequired(
    command,
    '--input <file>',
    'prompts and completions: JSON Lines, parquet, a folder or hf://datasets/…; media paths are relative to the file',
  )
  command.option('--output <file>', 'where the scores go, in the order of the input; - is stdout', '-')
  addModelOptions(command).addHelpText('after', help).action(run)
}

async function run(options: ScoreOptions): Promise<void> {
  const input = await openInput(options)
  checkCompletions(input)
  const load = loadOptions(options)
  await interruptible(async (signal) => {
    const policy = await loadModel(options.model, load)
    try {
      const answer = (rows: readonly InputRow[]): Promise<object[]> => scoreRows(policy, rows, signal)
      await mapRows({ input, processor: policy.processor, output: options.output, answer, signal })
    } finally {
      policy.dispose()
    }
  })
}

/** Before the model is loaded: a row without a completion costs no waiting. */
function checkCompletions(input: Dataset): void {
  for (let index = 0; index < input.length; index++) {
    if (input.get(index).completion !== undefined) continue
    throw new InputError(
      `${input.where?.(index)}: completion: expected the text to score, got nothing; add "completion": "…"`,
    )
  }
}

async function scoreRows(policy: Policy, rows: readonly InputRow[], signal: AbortSignal): Promise<object[]> {
  const sequences = rows.map((row) => ({
    prompt: row.prompt,
    completionIds: policy.processor.encode(row.example.completion ?? ''),
  }))
  for (const [i, row] of rows.entries()) checkLength(row, sequences[i]?.completionIds.length ?? 0, policy.processor)
  // Nothing is predicted for an empty completion.
  const asked = sequences.filter(({ completionIds }) => completionIds.length > 0)
  const stats = await policy.scoreAll(asked, { temperature: 1, signal })
  const logps = new Map(asked.map((sequence, i) => [sequence, stats[i]?.logps]))
  return sequences.map((sequence) => ({
    promptTokens: sequence.prompt.ids.length,
    completionIds: [...sequence.completionIds],
    logps: [...(logps.get(sequence) ?? [])],
  }))
}

const help = `
Input rows:   {"messages": [{"role": "user", "content": "How many chairs?"}], "completion": "4"}
Output rows:  {"promptTokens": 24, "completionIds": [19], "logps": [-0.31]}
              one log-probability per token, at temperature 1; no end token is added: write <|im_end|> in the
              completion to score it too.

Example:
  vsgrpo score --model runs/demo/checkpoints/step-300 --input answers.jsonl --output scores.jsonl`
