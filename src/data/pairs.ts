/**
 * Preference pairs from questions whose answer is known: the right answer is chosen, and a wrong one of a chosen hardness is
 * rejected. Numbers are off by a ratio, directions by an angle, orders by how much is displaced, objects are others of the
 * scene. A row's wrong answer is a function of (seed, index) alone.
 */
import { dataError, InputError } from '../errors.js'
import { oneOf } from '../option-checks.js'
import { type Random, randomStream } from '../random.js'
import type { Example } from '../types.js'
import { type Dataset, placeOf } from './dataset.js'
import { type MarkedOption, splitOption } from './questions/marks.js'

/** How near wrong answers are to the right one. */
const hardnesses = ['easy', 'medium', 'hard'] as const
export type Hardness = (typeof hardnesses)[number]

export interface PairOptions {
  /** easy: the farthest wrong answer, such as the opposite direction. hard: the nearest. medium: any. Default 'medium'. */
  readonly hardness?: Hardness
  /** Wrong numbers are the right one times this or over this, rounded as it is. Default 3 (easy), 1.75 (medium), 1.25 (hard). */
  readonly ratio?: number
  /** Default 0. */
  readonly seed?: number
}

const ratios: Readonly<Record<Hardness, number>> = { easy: 3, medium: 1.75, hard: 1.25 }

/** Degrees from straight ahead, counter-clockwise: the middle of each sector of the questions on directions. */
const directions: Readonly<Record<string, number>> = {
  left: 67.5,
  back: 180,
  right: 292.5,
  'front-left': 45,
  'back-left': 135,
  'back-right': 225,
  'front-right': 315,
}

/** A wrong answer, and how far it is from the right one. */
interface Wrong {
  readonly text: string
  readonly distance: number
}

/**
 * The dataset's rows with `chosen` and `rejected`. Reads `answer`, `options` ('A. chair', …) and `scene_name`, as question
 * rows have them. Throws an InputError for bad options, and for rows to which no wrong answer is known when they are read.
 */
export function preferencePairs(dataset: Dataset, options: PairOptions = {}): Dataset {
  const { hardness = 'medium', seed = 0 } = options
  oneOf('[pairs] hardness', hardness, hardnesses)
  if (!Number.isSafeInteger(seed)) throw new InputError(`[pairs] seed: expected an integer, got ${seed}`)
  const ratio = options.ratio ?? ratios[hardness]
  if (!(ratio > 1 && Number.isFinite(ratio)))
    throw new InputError(`[pairs] ratio: expected a number above 1, got ${ratio}`)
  const objects = objectsByScene(dataset)
  return {
    length: dataset.length,
    files: dataset.files,
    ...(dataset.where ? { where: (index: number) => dataset.where?.(index) ?? '' } : {}),
    get(index) {
      const row = dataset.get(index)
      const random = randomStream('pairs', seed, index)
      const right = String(row.answer ?? row.completion ?? '')
      const wrong = wrongAnswers(row, right, { ratio, random, objects: objects.get(sceneOf(row)) ?? new Set() })
      const rejected = pick(wrong, hardness, random)
      if (rejected !== undefined) return { ...row, chosen: right, rejected }
      throw dataError(
        `${placeOf(dataset, index)}: answer: expected a number, a direction, an order or one of several options or objects, got '${right}'; give the row its own chosen and rejected`,
      )
    },
  }
}

interface Known {
  readonly ratio: number
  readonly random: Random
  /** Names of objects in the row's scene. */
  readonly objects: ReadonlySet<string>
}

function wrongAnswers(row: Example, right: string, { ratio, random, objects }: Known): Wrong[] {
  const options = readOptions(row.options)
  if (options.length > 0) return wrongOptions(options, right)
  if (/^\d+(\.\d+)?$/.test(right)) return [{ text: wrongNumber(right, ratio, random), distance: ratio }]
  if (Object.hasOwn(directions, right)) return otherDirections(right, row.question_type)
  const items = right.split(', ')
  if (items.length > 1) return otherOrders(items)
  return [...objects].filter((name) => name !== right).map((text) => ({ text, distance: 1 }))
}

/** The right number times or over the ratio; where rounding brings it back, one unit of its last digit away. */
function wrongNumber(right: string, ratio: number, random: Random): string {
  const digits = right.split('.')[1]?.length ?? 0
  const value = Number(right)
  const candidates = random.shuffle([value * ratio, value / ratio]).map((wrong) => wrong.toFixed(digits))
  return candidates.find((text) => text !== right) ?? (value + 10 ** -digits).toFixed(digits)
}

function readOptions(options: unknown): MarkedOption[] {
  if (!Array.isArray(options)) return []
  return options.map((option: unknown) => splitOption(String(option))).filter(({ mark }) => mark !== '')
}

/** The other options, written as the right one is: by mark or by text. */
function wrongOptions(options: readonly MarkedOption[], right: string): Wrong[] {
  const answer = options.find(({ mark, text }) => mark === right || text === right)
  if (!answer) return []
  const written = answer.mark === right ? 'mark' : 'text'
  const others = options.filter((option) => option !== answer)
  return others.map((option) => ({ text: option[written], distance: distance(answer.text, option.text) }))
}

function otherDirections(right: string, kind: unknown): Wrong[] {
  const isSided = kind === 'object_rel_direction_easy'
  const names = Object.keys(directions).filter((name) => {
    return name !== right && name.includes('-') === right.includes('-') && !(isSided && name === 'back')
  })
  return names.map((text) => ({ text, distance: distance(right, text) }))
}

/** The order backwards, and with two neighbours swapped. */
function otherOrders(items: readonly string[]): Wrong[] {
  const right = items.join(', ')
  const swapped = items.slice(1).map((item, i) => [...items.slice(0, i), item, items[i], ...items.slice(i + 2)])
  const texts = [[...items].reverse(), ...swapped].map((order) => order.join(', '))
  return [...new Set(texts)].map((text) => ({ text, distance: distance(right, text) }))
}

/** Directions: degrees between them. Orders: places that differ. Anything else: as far as anything else. */
function distance(right: string, wrong: string): number {
  const [a, b] = [directions[right], directions[wrong]]
  if (a !== undefined && b !== undefined) return Math.min(Math.abs(a - b), 360 - Math.abs(a - b))
  const items = wrong.split(', ')
  return right.split(', ').filter((item, i) => item !== items[i]).length
}

function pick(wrong: readonly Wrong[], hardness: Hardness, random: Random): string | undefined {
  if (wrong.length === 0) return undefined
  const distances = wrong.map((one) => one.distance)
  const wanted = hardness === 'easy' ? Math.max(...distances) : Math.min(...distances)
  return random.pick(wrong.filter(({ distance: own }) => hardness === 'medium' || own === wanted)).text
}

/** What the rows of each scene say about its objects: what questions begin with, and the words among options and answers. */
function objectsByScene(dataset: Dataset): Map<string, Set<string>> {
  const objects = new Map<string, Set<string>>()
  for (let index = 0; index < dataset.length; index++) {
    const row = dataset.get(index)
    if (row.question_type !== 'object_rel_distance' && typeof row.category !== 'string') continue
    const known = objects.get(sceneOf(row)) ?? new Set()
    const isNearest = row.question_type === 'object_rel_distance'
    const words = isNearest ? [...readOptions(row.options).map(({ text }) => text), String(row.answer ?? '')] : []
    for (const word of [row.category, ...words])
      if (typeof word === 'string' && /^[a-z][a-z ]+$/i.test(word)) known.add(word)
    objects.set(sceneOf(row), known)
  }
  return objects
}

function sceneOf({ scene_name: scene }: Example): string {
  return String(scene ?? '')
}
