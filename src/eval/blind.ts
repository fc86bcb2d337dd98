/**
 * What answers score that never saw the video, for any set of questions: one answer for every type of question, and one
 * for every type and category. Both are chosen on other scenes than those they are scored on, so they are what a model
 * could have learned by heart from questions alone. Pure.
 */
import { splitOption } from '../data/questions/marks.js'
import { groupBy } from '../group-by.js'

/** What a blind guesser reads, and the truth to fit on. */
export interface BlindQuestion {
  /** Questions of one scene are never on both sides. */
  readonly scene: string
  /** Type of question. */
  readonly kind: string
  /** What is asked about; '' where nothing is. */
  readonly category: string
  /** 'A. chair', …; null where a number is asked for. */
  readonly options: readonly string[] | null
  /** The number as text, or the option's letter. */
  readonly truth: string
}

/** An answer as text. */
export type Guess = (question: BlindQuestion) => string
/** Points of an answer: 0 to 1. */
export type Judge = (question: BlindQuestion, answer: string) => number
export type Fit = (training: readonly BlindQuestion[], judge: Judge) => Guess

/** The answer given most often, for each type of question. */
export const mostFrequent: Fit = (training) => {
  const answers = new Map([...groupBy(training, ({ kind }) => kind)].map(([kind, own]) => [kind, commonest(own)]))
  return ({ kind }) => answers.get(kind) ?? ''
}

/** The answer that scores best, for each type of question. */
export const bestConstant: Fit = (training, judge) => {
  const answers = new Map(
    [...groupBy(training, ({ kind }) => kind)].map(([kind, own]) => [kind, bestAnswer(own, judge)]),
  )
  return ({ kind }) => answers.get(kind) ?? ''
}

/**
 * The number that scores best for each type and category; of listed options the one that is right most often where it is
 * listed. What training does not know gets the type's best constant.
 */
export const perCategory: Fit = (training, judge) => {
  const fallback = bestConstant(training, judge)
  const numbers = new Map(
    [...groupBy(training, keyOf)].flatMap(([key, own]): [string, string][] =>
      own[0]?.options === null ? [[key, bestAnswer(own, judge)]] : [],
    ),
  )
  const rates = winRates(training)
  return (question) => {
    if (question.options === null) return numbers.get(keyOf(question)) ?? fallback(question)
    const ranked = question.options
      .map(splitOption)
      .map(({ mark, text }) => ({ mark, rate: rates.get(`${question.kind} ${text}`) ?? 0 }))
      .sort((a, b) => b.rate - a.rate)
    const [best] = ranked
    return best !== undefined && best.rate > 0 ? best.mark : fallback(question)
  }
}

/**
 * Points of a control, [Q]. Fitted on `training` where it is given, else on one half of the scenes and scored on the
 * other, both ways round. Undefined where there is but one scene.
 */
export function blindPoints(
  questions: readonly BlindQuestion[],
  learn: Fit,
  judge: Judge,
  training?: readonly BlindQuestion[],
): Float64Array | undefined {
  if (training) return answered(questions, learn(training, judge), judge)
  const second = secondHalf(questions)
  if (second.size === 0) return undefined
  const guesses = [false, true].map((half) =>
    learn(
      questions.filter(({ scene }) => second.has(scene) !== half),
      judge,
    ),
  )
  return Float64Array.from(questions, (question) => {
    const guess = guesses[second.has(question.scene) ? 1 : 0]
    return guess ? judge(question, guess(question)) : 0
  })
}

/** Points of the best constant told the truth it is scored on: how benchmarks quote their frequency baseline. */
export function hindsightPoints(questions: readonly BlindQuestion[], judge: Judge): Float64Array {
  return answered(questions, bestConstant(questions, judge), judge)
}

function answered(questions: readonly BlindQuestion[], guess: Guess, judge: Judge): Float64Array {
  return Float64Array.from(questions, (question) => judge(question, guess(question)))
}

/** Every other scene, in the order of a hash of their names: neither order nor source decides. */
function secondHalf(questions: readonly BlindQuestion[]): Set<string> {
  const scenes = [...new Set(questions.map(({ scene }) => scene))]
  const ordered = scenes.map((scene) => ({ scene, at: hash(scene) })).sort((a, b) => a.at - b.at)
  return new Set(ordered.filter((_, i) => i % 2 === 1).map(({ scene }) => scene))
}

/** FNV-1a. */
function hash(text: string): number {
  let state = 0x811c9dc5
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  return state >>> 0
}

/** The answer among the truths whose mean points are highest; the first of equals. */
function bestAnswer(questions: readonly BlindQuestion[], judge: Judge): string {
  const counts = tally(questions)
  let best = { answer: '', points: -1 }
  for (const answer of counts.keys()) {
    let points = 0
    for (const { question, count } of counts.values()) points += count * judge(question, answer)
    if (points > best.points) best = { answer, points }
  }
  return best.answer
}

function commonest(questions: readonly BlindQuestion[]): string {
  const [best] = [...tally(questions)].sort((a, b) => b[1].count - a[1].count)
  return best?.[0] ?? ''
}

/** Truths with how often they come and one of the questions they are true of. */
function tally(questions: readonly BlindQuestion[]): Map<string, { question: BlindQuestion; count: number }> {
  const counts = new Map<string, { question: BlindQuestion; count: number }>()
  for (const question of questions) {
    const own = counts.get(question.truth)
    if (own) own.count += 1
    else counts.set(question.truth, { question, count: 1 })
  }
  return counts
}

/** How often an option is right where it is listed, drawn towards chance while it was seldom listed. */
function winRates(questions: readonly BlindQuestion[]): Map<string, number> {
  const seen = new Map<string, { won: number; listed: number }>()
  for (const { kind, options, truth } of questions) {
    for (const { mark, text } of (options ?? []).map(splitOption)) {
      const key = `${kind} ${text}`
      const own = seen.get(key) ?? { won: 0, listed: 0 }
      seen.set(key, own)
      own.listed += 1
      own.won += mark === truth.toUpperCase() ? 1 : 0
    }
  }
  return new Map([...seen].map(([key, { won, listed }]) => [key, (won + 1) / (listed + 4)]))
}

function keyOf({ kind, category }: BlindQuestion): string {
  return `${kind} ${category}`
}
