/**
 * A run for TensorBoard: every metric as a scalar under `train/` or `eval/` (transformers' and TRL's tags), the
 * configuration and a few completions as texts. Every session of a run writes its own event file; one that goes on from
 * step N makes readers drop what earlier files say of later steps, so that no step shows twice.
 */
import { checkInteger } from '../option-checks.js'
import type { CompletionRow, StartEvent, TrainEvent } from '../train/events.js'
import type { Metrics } from '../types.js'
import { EventFile } from './event-file.js'
import type { Reporter } from './reporter.js'

export interface TensorBoardOptions {
  /** Completions shown of each batch, the first ones; 0 = none. Default 4. */
  readonly completions?: number
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: () => number
}

/** Writes event files into `dir`, for `tensorboard --logdir`; throws a `VsgrpoError` when the disk refuses. */
export function tensorboard(dir: string, options: TensorBoardOptions = {}): Reporter {
  const { completions = 4, now = Date.now } = options
  checkInteger('[tensorboard] completions', completions, 0)
  let output: EventFile | undefined

  return {
    onEvent(event: TrainEvent): void {
      if (event.type === 'start') {
        output?.close()
        output = begin(new EventFile(dir, now), event)
      }
      if (event.type === 'step' || event.type === 'eval') {
        output?.append(event.step, [{ kind: 'scalars', values: tagged(event.metrics) }])
      } else if (event.type === 'completions' && completions > 0) {
        const text = completionTable(event.rows.slice(0, completions))
        output?.append(event.step, [{ kind: 'text', tag: 'completions', text }])
      } else if (event.type === 'checkpoint' || event.type === 'end') output?.flush()
    },
    close(): void {
      output?.close()
      output = undefined
    },
  }
}

function begin(output: EventFile, { config, step }: StartEvent): EventFile {
  // A new run (step 0) replaces everything in the folder, an evaluation before its first step included.
  output.append(step === 0 ? 0 : step + 1, [{ kind: 'start' }])
  output.append(step, [{ kind: 'text', tag: 'config', text: codeBlock(JSON.stringify(config, null, 2)) }])
  return output
}

/** `eval_reward` becomes `eval/reward`, `reward` becomes `train/reward`. */
function tagged(metrics: Metrics): Metrics {
  const tag = (name: string) => (name.startsWith('eval_') ? `eval/${name.slice('eval_'.length)}` : `train/${name}`)
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [tag(name), value]))
}

function codeBlock(text: string): string {
  return `\`\`\`\n${text}\n\`\`\``
}

/** A Markdown table, which TensorBoard renders. */
function completionTable(rows: readonly CompletionRow[]): string {
  const lines = rows.map(({ question, answer, completion, reward }) => {
    return `| ${[question, answer ?? '', completion, reward ?? ''].map(cell).join(' | ')} |`
  })
  return ['| question | answer | completion | reward |', '| --- | --- | --- | --- |', ...lines].join('\n')
}

/** Sampled text with Markdown's and HTML's own signs shows as it is. */
function cell(value: string | number): string {
  const escaped = String(value)
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/[\\`*_{}[\]()#+!|-]/g, '\\$&')
  return escaped.replace(/\r?\n/g, '<br>')
}
