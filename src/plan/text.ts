/** A plan in words: a table for people, a line before a run starts, and why a run does not start. Pure. */
import { InputError } from '../errors.js'
import { duration, short } from '../log/format.js'
import type { MemoryParts } from './memory.js'
import type { Plan } from './plan.js'
import type { TimePlan } from './time.js'

const names: Readonly<Record<keyof MemoryParts, string>> = {
  process: 'process',
  weights: 'weights',
  reference: 'reference',
  gradients: 'gradients',
  optimizer: 'optimizer',
  media: 'images and videos',
  activations: 'activations',
  lossChunk: 'loss chunk',
  kvCache: 'KV cache',
  inference: 'passes without gradients',
}

/** Parts that are not there at the same time as the others: where they belong. */
const phaseOf: Readonly<Record<string, string>> = {
  activations: 'while learning',
  lossChunk: 'while learning and scoring',
  kvCache: 'while generating',
  inference: 'while generating and scoring',
}

/** One line: what a run is about to need. */
export function expectation({ memory, time, steps, notMeasured, tokensPerMicroBatch }: Plan): string {
  const tight = memory.peakBytes > 0.9 * memory.availableBytes ? ' (tight)' : ''
  const run = time
    ? `${steps} steps of at most ${seconds(time.secondsPerStep)}, ${wholeRun(time, steps)}`
    : `${steps} steps, whose time could not be measured: ${notMeasured}`
  return `plan: ${gigabytes(memory.peakBytes)} of ${gigabytes(memory.availableBytes)} of memory${tight}; ${run}; tokensPerMicroBatch ${tokensPerMicroBatch}`
}

function wholeRun({ secondsPerStep }: TimePlan, steps: number): string {
  return `${duration(steps * secondsPerStep)} in all without rewards and evaluations`
}

/** Why a run does not start: the numbers, and what to lower. */
export function refusal({ memory, remedies }: Plan): InputError {
  const { peakBytes, availableBytes, peakPhase } = memory
  const parts = partsOf(memory.parts)
    .map(([name, bytes]) => `${names[name]} ${gigabytes(bytes)}`)
    .join(', ')
  const ways = worthNaming(remedies).map(
    ({ change, peakBytes: bytes, fits }) => `${change} (${gigabytes(bytes)}${fits ? ', fits' : ''})`,
  )
  const lower =
    ways.length > 0 ? `Lower it by ${ways.join(' or ')}` : 'Use a smaller model or a machine with more memory'
  return new InputError(
    `[plan] this run needs ${gigabytes(peakBytes)} of memory at its peak, ${phrases[peakPhase]}, and ${gigabytes(availableBytes)} are available: ${parts}`,
    { code: 'ERR_VSGRPO_OOM', hint: `${lower}; --ignore-plan starts it all the same.` },
  )
}

/** What helps alone, or else what helps most. */
function worthNaming(remedies: Plan['remedies']): Plan['remedies'] {
  const fitting = remedies.filter(({ fits }) => fits)
  return (fitting.length > 0 ? fitting : remedies).slice(0, 4)
}

const phrases = {
  generation: 'while generating',
  scoring: 'while scoring completions',
  learning: 'in the gradient pass',
} as const

/** Everything, for `vsgrpo plan`. */
export function table(plan: Plan): string {
  const { model, memory, algorithm, tokensPerMicroBatch, remedies } = plan
  return [
    `${algorithm}: ${count(model.parameters)} parameters, ${count(model.trainable)} of them trained, ${model.dtype}`,
    ...workloadLines(plan),
    '',
    'memory',
    ...partsOf(memory.parts).map(([name, bytes]) => row(names[name], gigabytes(bytes), phaseOf[name])),
    row(
      'peak',
      gigabytes(memory.peakBytes),
      `${phrases[memory.peakPhase]}; ${gigabytes(memory.availableBytes)} available`,
    ),
    '',
    ...timeLines(plan),
    '',
    `tokensPerMicroBatch: ${tokensPerMicroBatch}`,
    ...(memory.fits ? [] : ['', 'This does not fit. What would lower the peak:']),
    ...remedies.map(({ change, peakBytes, fits }) => row(change, gigabytes(peakBytes), fits ? 'fits' : undefined)),
  ].join('\n')
}

function timeLines({ time, steps, notMeasured }: Plan): string[] {
  if (!time) return [`time of ${steps} optimizer steps: could not be measured: ${notMeasured}`]
  const { generation, logps, backward, optimizer, secondsPerStep } = time
  const phases = { generation, logps, 'forward and backward': backward, optimizer }
  return [
    'time of an optimizer step, at most',
    ...Object.entries(phases).flatMap(([name, value]) => (value > 0 ? [row(name, seconds(value))] : [])),
    row('step', seconds(secondsPerStep), `${steps} steps: ${wholeRun(time, steps)}`),
  ]
}

function workloadLines({ workload, rowsRead, memory }: Plan): string[] {
  const { prompt, completions, completionTokens, prompts } = workload
  const media = prompt.patches > 0 ? `, ${prompt.patches} patches` : ''
  const most = rowsRead === 1 ? 'the row' : `the longest of ${rowsRead} rows`
  return [
    `prompt ${prompt.tokens} tokens${media} (${most}), completions ${completions} x ${completionTokens} tokens`,
    `prompts in an optimizer step ${prompts}, in a micro-batch ${memory.promptsPerMicroBatch}`,
  ]
}

/** Those that there are, the largest first. */
function partsOf(parts: MemoryParts): [keyof MemoryParts, number][] {
  const keys = Object.keys(names) as (keyof MemoryParts)[]
  const found = keys.map((name): [keyof MemoryParts, number] => [name, parts[name]])
  return found.filter(([, bytes]) => bytes > 0).sort((a, b) => b[1] - a[1])
}

function row(name: string, value: string, remark?: string): string {
  return `  ${name.padEnd(42)}${value.padStart(8)}${remark ? `  ${remark}` : ''}`
}

function count(parameters: number): string {
  return parameters < 1e9 ? short(parameters) : `${(parameters / 1e9).toFixed(2)}B`
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 1)} GB`
}

function seconds(value: number): string {
  return value < 100 ? `${value.toPrecision(3)} s` : duration(value)
}
