/** What the runs answered to the same prompts, each at the last step that had it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Row, rowsOf } from '../../log/lines.js'
import { high, low, mean } from '../curve.js'
import { readSamples } from '../read.js'
import { number, optionalNumber, strings, text } from '../values.js'
import type { Group } from './groups.js'

export interface SaidByRun {
  readonly name: string
  readonly color: number
  /** When: `step 40`, or `at the end`. */
  readonly when: string
  /** Different answers, the most frequent first. */
  readonly answers: readonly { readonly text: string; readonly times: number; readonly reward: number | null }[]
}

export interface SharedPrompt {
  readonly question: string
  readonly answer?: string
  readonly frames: readonly string[]
  /** The folder that relative frames start from. */
  readonly dir: string
  readonly said: readonly SaidByRun[]
}

/** What one run said to one prompt. */
interface Said {
  readonly step: number
  readonly when: string
  readonly question: string
  readonly answer?: string
  readonly frames: readonly string[]
  readonly answers: { text: string; reward: number | null }[]
}

interface Answering {
  readonly name: string
  readonly color: number
  readonly dir: string
  readonly said: ReadonlyMap<string, Said>
}

/** At most `limit` prompts that two runs or more have answered: by the most runs first, then those they disagree on. */
export function sharedPrompts(groups: readonly Group[], limit: number): SharedPrompt[] {
  const runs = groups.flatMap(({ color, runs: members }): Answering[] =>
    members.map(({ name, run }) => ({ name, color, dir: run.dir, said: saidBy(run.dir) })),
  )
  const keys = [...new Set(runs.flatMap(({ said }) => [...said.keys()]))]
  const shared = keys.flatMap((key) => {
    const having = runs.filter(({ said }) => said.has(key))
    return having.length > 1 ? [{ key, having, apart: disagreement(having.map(({ said }) => said.get(key))) }] : []
  })
  shared.sort((a, b) => b.having.length - a.having.length || b.apart - a.apart)
  return shared.slice(0, limit).flatMap(({ key, having }) => promptOf(key, having))
}

function promptOf(key: string, runs: readonly Answering[]): SharedPrompt[] {
  const said = runs.flatMap(({ name, color, said: all }) => {
    const one = all.get(key)
    return one ? [{ name, color, when: one.when, answers: tally(one.answers) }] : []
  })
  const [first] = runs
  const prompt = first?.said.get(key)
  if (!first || !prompt) return []
  const { question, answer, frames } = prompt
  return [{ question, ...(answer === undefined ? {} : { answer }), frames, dir: first.dir, said }]
}

/** By prompt: the completions of the last step that had it, and what the trained model said in `samples.json`. */
function saidBy(dir: string): Map<string, Said> {
  const said = new Map<string, Said>()
  for (const row of rowsOf(join(dir, 'completions.jsonl'))) {
    const entry = saidIn(row)
    const before = said.get(keyOf(entry))
    if (before?.step === entry.step) before.answers.push(...entry.answers)
    else if (!before || before.step < entry.step) said.set(keyOf(entry), entry)
  }
  if (!existsSync(join(dir, 'samples.json'))) return said
  for (const { question, answer, frames, answers } of readSamples(dir)) {
    const trained = answers.find(({ by }) => by === 'trained')
    if (!trained) continue
    const { completion, reward } = trained.answered
    const entry = {
      question,
      ...(answer === undefined ? {} : { answer }),
      frames,
      step: Number.POSITIVE_INFINITY,
      when: 'at the end',
    }
    said.set(keyOf(entry), { ...entry, answers: [{ text: completion, reward }] })
  }
  return said
}

function saidIn(row: Row): Said {
  const step = number(row.step)
  return {
    step,
    when: `step ${step}`,
    question: text(row.question),
    ...(row.answer === undefined || row.answer === null ? {} : { answer: text(row.answer) }),
    frames: strings(row.media),
    answers: [{ text: text(row.completion), reward: optionalNumber(row.reward) ?? null }],
  }
}

/** The same prompt wherever the data lies: its words, and each frame's name and folder. */
function keyOf({ question, frames }: Pick<Said, 'question' | 'frames'>): string {
  return JSON.stringify([question, frames.map((frame) => frame.split(/[/\\]/).slice(-2).join('/'))])
}

/** 1 where the runs' mean rewards differ most, 0 where they agree. */
function disagreement(said: readonly (Said | undefined)[]): number {
  const means = said
    .map((one) => mean(one?.answers.map(({ reward }) => reward ?? Number.NaN) ?? []))
    .filter(Number.isFinite)
  return means.length > 1 ? high(means) - low(means) : 0
}

function tally(answers: readonly { text: string; reward: number | null }[]): SaidByRun['answers'] {
  const found = new Map<string, { text: string; times: number; reward: number | null }>()
  for (const { text: said, reward } of answers) {
    const key = said.trim()
    found.set(key, { text: key, times: (found.get(key)?.times ?? 0) + 1, reward })
  }
  return [...found.values()].sort((a, b) => b.times - a.times)
}
