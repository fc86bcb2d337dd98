/**
 * Rows in, rows out, for `generate` and `score`: prompts are made and answered some hundred rows at a time, and the
 * output appears as a whole at the end, so that a bad row leaves nothing half-written.
 */
import { AtomicFile } from '../atomic-file.js'
import { type Dataset, openDataset } from '../data/index.js'
import { AbortedError, InputError, isAbort } from '../errors.js'
import { inParts } from '../policy/parts.js'
import type { PolicyProcessor } from '../policy.js'
import type { Example, Prompt } from '../types.js'
import { checkOutputs } from './outputs.js'
import { sayTimeLeft } from './talk.js'

export interface InputRow {
  readonly index: number
  readonly example: Example
  readonly prompt: Prompt
  /** `file:line`, for errors. */
  readonly where: string
}

export interface RowsOptions {
  readonly input: Dataset
  readonly processor: PolicyProcessor
  /** A path, or `-` for stdout. */
  readonly output: string
  /** Answers a part of the rows, in order. */
  readonly answer: (rows: readonly InputRow[]) => Promise<readonly object[]>
  readonly signal: AbortSignal
  /** Progress; default stderr. */
  readonly say?: (line: string) => void
}

/** The rows to answer. Throws an InputError where the output would take the place of one of their files. */
export async function openInput({ input, output }: { input: string; output: string }): Promise<Dataset> {
  checkOutputs({ '--output': output }, [input])
  const dataset = await openDataset(input)
  checkOutputs({ '--output': output }, dataset.files ?? [])
  return dataset
}

/** Reads, answers and writes every row. */
export async function mapRows(options: RowsOptions): Promise<void> {
  const output = openOutput(options.output)
  const { length } = options.input
  const progress = sayTimeLeft('rows', { tell: options.say })
  let done = 0
  try {
    for await (const part of inParts(promptsOf(options))) {
      for (const row of await options.answer(part)) output.write(`${JSON.stringify(row)}\n`)
      done += part.length
      progress(done, length)
    }
    output.commit()
  } catch (error) {
    output.discard()
    if (!isAbort(error)) throw error
    const kept = options.output === '-' ? 'nothing is written' : `${options.output} is not written`
    throw new AbortedError(`${done} of ${length} rows were done; ${kept}, as it would not be whole`, error)
  }
}

/** Throws an InputError when prompt and answer together do not fit into the model's positions. */
export function checkLength(
  row: InputRow,
  answerTokens: number,
  processor: Pick<PolicyProcessor, 'maxPositions'>,
): void {
  const tokens = row.prompt.ids.length
  if (tokens + answerTokens <= processor.maxPositions) return
  const answer = answerTokens > 1 ? ` and its completion ${answerTokens}` : ''
  throw new InputError(
    `${row.where}: the prompt has ${tokens} tokens${answer}, the model allows ${processor.maxPositions}; use fewer or smaller frames or a shorter text`,
  )
}

async function* promptsOf({ input, processor, signal }: RowsOptions): AsyncGenerator<InputRow[]> {
  for (let index = 0; index < input.length; index++) {
    if (signal.aborted) throw new AbortedError(undefined, signal.reason)
    const where = input.where?.(index) ?? `row ${index + 1}`
    const example = input.get(index)
    yield [{ index, example, prompt: await processor.prompt(example.messages, { where, signal }), where }]
  }
}

interface Output {
  write(text: string): void
  commit(): void
  discard(): void
}

/** stdout gets its rows at the end, all of them: a pipe must not see half a result either. */
function openOutput(output: string): Output {
  if (output !== '-') return new AtomicFile(output)
  const rows: string[] = []
  return {
    write: (text) => void rows.push(text),
    commit: () => void process.stdout.write(rows.join('')),
    discard() {},
  }
}
