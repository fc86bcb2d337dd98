/** What a run's progress shows: the state that events add up to, and the lines that it is drawn as. */
import type { EndEvent, StepEvent, TrainEvent } from '../train/events.js'
import { bar, duration, short, sparkline } from './format.js'
import { readings } from './metric-names.js'

const sparkWidth = 24
/** Of `accuracy 0.6875` and the space after it. */
const cellWidth = 17

export interface State {
  totalSteps: number
  step: number
  last?: StepEvent
  /** When `last` came: the time left counts down from there. */
  lastAt: number
  startedAt: number
  /** The reward (or loss) of every step so far. */
  curve: { name: string; values: number[] }
  evaluation: string
  note: string
}

export function fresh(now: number): State {
  return {
    totalSteps: 0,
    step: 0,
    lastAt: now,
    startedAt: now,
    curve: { name: 'reward', values: [] },
    evaluation: '',
    note: '',
  }
}

export function absorb(state: State, event: TrainEvent, now: number): void {
  if (event.type === 'start') Object.assign(state, fresh(now), { totalSteps: event.totalSteps, step: event.step })
  else if (event.type === 'step') {
    Object.assign(state, { step: event.step, last: event, lastAt: now })
    state.curve.name = event.metrics.reward === undefined ? 'loss' : 'reward'
    const value = event.metrics[state.curve.name]
    if (value !== undefined) state.curve.values.push(value)
  } else if (event.type === 'eval') state.evaluation = `${values(event.metrics, 'eval_')} at step ${event.step}`
  else if (event.type === 'checkpoint') state.note = `checkpoint ${event.dir}`
  else if (event.type === 'end') state.note = endNote(event, state, now)
}

function endNote({ reason, step }: EndEvent, { startedAt, note }: State, now: number): string {
  const word = reason === 'aborted' ? 'interrupted' : reason
  const cure = reason === 'aborted' && note.startsWith('checkpoint') ? '; --resume goes on from here' : ''
  return `${word} at step ${step} after ${duration((now - startedAt) / 1000)}${cure}`
}

export function values(metrics: Readonly<Record<string, number>>, prefix = ''): string {
  return readings(metrics, prefix)
    .map(({ label, value }) => `${label} ${short(value)}`)
    .join('  ')
}

/** The block as plain text, every line at most `width` wide. */
export function blockLines(state: State, width: number, now: number): string[] {
  const lines = [headLine(state, width, now)]
  if (state.last) {
    const cells = readings(state.last.metrics).map(({ label, value }) => `${label} ${short(value)}`)
    lines.push(...flow([...cells, `${short(state.last.tokensPerSecond)} tokens/s`], width))
    const { name, values } = state.curve
    if (values.length > 1) lines.push(`  ${name} ${sparkline(values, Math.min(sparkWidth, width - name.length - 3))}`)
  } else lines.push('  the first step is on its way')
  if (state.evaluation) lines.push(`  eval: ${state.evaluation}`)
  if (state.note) lines.push(`  ${state.note}`)
  return lines.map((line) => (line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line))
}

function headLine(state: State, width: number, now: number): string {
  const fraction = state.totalSteps > 0 ? state.step / state.totalSteps : 0
  const elapsed = duration((now - state.startedAt) / 1000)
  const left = state.last ? Math.max(0, state.last.secondsLeft - (now - state.lastAt) / 1000) : Number.NaN
  const times = state.last ? `${duration(left)} left, ${elapsed} gone` : `${elapsed} gone`
  const steps = `step ${state.step}/${state.totalSteps}`
  const percent = `${Math.floor(fraction * 100)}%`
  const room = width - steps.length - percent.length - times.length - 6
  return room >= 8
    ? `${steps}  ${bar(fraction, Math.min(30, room))} ${percent}  ${times}`
    : `${steps}  ${percent}  ${times}`
}

/** Puts cells of equal width on as few lines as fit; mostly the same width, so that they stand still from step to step. */
function flow(cells: readonly string[], width: number): string[] {
  const cell = Math.max(cellWidth, ...cells.map((text) => text.length + 2))
  const perLine = Math.max(1, Math.floor((width - 2) / cell))
  const lines: string[] = []
  for (let i = 0; i < cells.length; i += perLine) {
    lines.push(
      `  ${cells
        .slice(i, i + perLine)
        .map((text) => text.padEnd(cell))
        .join('')}`.trimEnd(),
    )
  }
  return lines
}

export function tinted(line: string, index: number): string {
  if (index > 0) return line.replace(/[▁▂▃▄▅▆▇█]+/, '\u001b[36m$&\u001b[39m')
  return line.replace(/^step \S+/, '\u001b[1m$&\u001b[22m').replace(/[█▏▎▍▌▋▊▉]+/, '\u001b[32m$&\u001b[39m')
}
