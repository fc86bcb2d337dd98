/**
 * Sets of rooms with questions. A room's content is a function of (recipe, seed, split, index) and of the answers that
 * balancing still wants; frames are drawn when asked for and not kept.
 */
import { InputError } from '../../errors.js'
import { checkInteger, oneOf } from '../../option-checks.js'
import { randomStream } from '../../random.js'
import type { ContentPart, Example } from '../../types.js'
import { AnswerLedger } from '../questions/balance.js'
import { builders } from '../questions/builders.js'
import { combinations } from '../questions/choices.js'
import { letterOf } from '../questions/marks.js'
import type { Question, QuestionKind } from '../questions/question.js'
import type { QuestionRow } from '../questions/row.js'
import type { QuestionRules } from '../questions/rules.js'
import { measureOf } from '../scenes/measure.js'
import type { Recipe } from './recipe.js'
import { type RecipeName, recipes, roomKinds } from './recipes.js'
import type { RoomScene } from './record.js'
import { renderRoom } from './render.js'
import { drawScene } from './scene.js'
import { firstSeen, framesPerSecond } from './seen.js'

/** Rooms of different splits never share a stream of random numbers. */
export type Split = 'train' | 'dev' | 'test' | 'base'

export interface RoomsOptions {
  /** A built-in recipe's name or your own; default 'demo'. */
  readonly recipe?: RecipeName | Recipe
  /** Number of rooms. */
  readonly count: number
  /** Default 0. */
  readonly seed?: number
  /** Default 'train'. */
  readonly split?: Split
  /** Default: the recipe's. */
  readonly kinds?: readonly QuestionKind[]
  /** Questions per room, spread over the kinds; default: one of each kind. A room has fewer when it allows no more. */
  readonly questionsPerRoom?: number
}

export interface Room {
  readonly name: string
  readonly scene: RoomScene
  readonly questions: readonly Question[]
  /** Renders: RGB bytes [F, H, W, 3]. */
  readonly frames: () => Uint8Array
}

export interface RoomSet {
  readonly recipe: Recipe
  readonly seed: number
  readonly split: Split
  readonly rooms: readonly Room[]
}

/** A row of questions.jsonl: VSI-Bench's columns, and what a training set needs. */
export interface RoomExample extends Example, Omit<QuestionRow, 'id'> {
  readonly id: string
  /** The first-named object of the question. */
  readonly category: string
  /** The number or the object's name: what the policy is to say. */
  readonly answer: string
  readonly completion: string
}

const order: QuestionKind = 'obj_appearance_order'
const sceneTries = 60
/** Nearer than this counts as touching. Metres. */
const leastDistance = 0.15
/** Rounding leeway of one question: after one right answer of four, that answer is 0.75 ahead. */
const mostExcess = 0.5

/** Draws rooms and questions. Throws InputError on bad options. Equal options give equal rooms, everywhere. */
export function makeRooms(options: RoomsOptions): RoomSet {
  const recipe = resolveRecipe(options.recipe ?? 'demo')
  const { count, seed = 0, split = 'train', kinds = recipe.questions.kinds } = options
  const { questionsPerRoom = kinds.length } = options
  checkInteger('count', count, 1)
  checkInteger('seed', seed, 0)
  checkInteger('questionsPerRoom', questionsPerRoom, 1)
  requireKinds(kinds, recipe)
  const ledger = new AnswerLedger()
  const rooms = Array.from({ length: count }, (_, index) =>
    drawRoom(recipe, { seed, split, index, kinds, questionsPerRoom }, ledger),
  )
  return { recipe, seed, split, rooms }
}

/** The room's questions as data set rows; `video` is what the messages show: a file, or frame files in order. */
export function roomExamples(set: RoomSet, room: Room, video: string | readonly string[]): RoomExample[] {
  const { instruction } = set.recipe.questions
  return room.questions.map((question, index) => {
    const text = instruction === '' ? question.question : `${question.question}\n${instruction}`
    const content: ContentPart[] = [
      { type: 'video', video },
      { type: 'text', text },
    ]
    return {
      id: `${room.name}-${index}`,
      dataset: room.scene.dataset,
      scene_name: room.name,
      question_type: question.kind,
      question: question.question,
      options: question.options?.map((option, i) => `${letterOf(i)}. ${option}`) ?? null,
      ground_truth: question.options === null ? question.answer : letterOf(question.options.indexOf(question.answer)),
      category: question.category,
      answer: question.answer,
      completion: question.answer,
      messages: [{ role: 'user', content }],
    }
  })
}

interface RoomPlan {
  readonly seed: number
  readonly split: Split
  readonly index: number
  readonly kinds: readonly QuestionKind[]
  readonly questionsPerRoom: number
}

/** Draws scenes until one allows a question of each kind whose answer is not ahead of the others. */
function drawRoom(recipe: Recipe, plan: RoomPlan, ledger: AnswerLedger): Room {
  const { seed, split, index } = plan
  let best: { scene: RoomScene; questions: Question[]; missing: number } | undefined
  for (let attempt = 0; attempt < sceneTries && best?.missing !== 0; attempt++) {
    const random = randomStream('room', recipe.name, seed, split, index, attempt)
    const drawn = drawScene(recipe, random)
    const scene = plan.kinds.includes(order) ? { ...drawn, first_seen: firstSeen(drawn, recipe) } : drawn
    const choice = chooseQuestions(recipe, scene, plan, ledger, random)
    if (best === undefined || choice.missing < best.missing) best = { scene, ...choice }
  }
  if (best === undefined || best.questions.length === 0) {
    throw new InputError(`recipe '${recipe.name}': its rooms allow no question of the kinds ${plan.kinds.join(', ')}`)
  }
  const { scene, questions } = best
  for (const question of questions) ledger.add(question)
  const name = `${recipe.name}-${split}-${seed}-${String(index).padStart(5, '0')}`
  return { name, scene, questions, frames: () => renderRoom(scene, recipe) }
}

/** Takes kinds in turn, each time the candidate whose answer is rarest; `missing` counts first questions not found. */
function chooseQuestions(
  recipe: Recipe,
  scene: RoomScene,
  plan: RoomPlan,
  ledger: AnswerLedger,
  random: ReturnType<typeof randomStream>,
): { questions: Question[]; missing: number } {
  const rules = rulesOf(recipe, scene)
  const pools = plan.kinds.map((kind) => rank([...builders[kind](scene, rules, random)], ledger))
  const missing = pools.slice(0, plan.questionsPerRoom).filter((pool) => pool.length === 0).length
  const longest = Math.max(...pools.map((pool) => pool.length))
  const turns = Array.from({ length: longest }, (_, turn) => pools.flatMap((pool) => pool[turn] ?? []))
  return { questions: turns.flat().slice(0, plan.questionsPerRoom), missing }
}

/** Candidates whose answer is not ahead of its share, the rarest first; the sort is stable: ties stay in random order. */
function rank(candidates: readonly Question[], ledger: AnswerLedger): Question[] {
  return candidates
    .map((question) => ({ question, excess: ledger.excess(question) }))
    .filter(({ excess }) => excess <= mostExcess)
    .sort((a, b) => a.excess - b.excess)
    .map(({ question }) => question)
}

function rulesOf(recipe: Recipe, scene: RoomScene): QuestionRules {
  const { anchor, options, distanceMargin, angleMargin } = recipe.questions
  const [fewest, most] = recipe.copies
  return {
    wording: 'benchmark',
    measure: measureOf('exact'),
    anchor,
    onlyAnchor: ['door'],
    counting: {
      categories: scene.repeated,
      least: 1,
      answers: Array.from({ length: most - fewest + 1 }, (_, i) => String(fewest + i)),
    },
    distance: { least: leastDistance },
    closest: {
      options,
      several: false,
      least: leastDistance,
      gap: distanceMargin,
      between: 'closest two',
      sets: combinations,
    },
    direction: { least: 0.3, most: 5, angleMargin, strayCorners: 8 },
    order: { listed: Math.max(3, options), gap: 1 / framesPerSecond },
  }
}

function resolveRecipe(recipe: RecipeName | Recipe): Recipe {
  if (typeof recipe !== 'string') return recipe
  return recipes[oneOf('recipe', recipe, Object.keys(recipes))]
}

function requireKinds(kinds: readonly string[], { name, camera }: Recipe): void {
  if (kinds.length === 0) throw new InputError('kinds: name at least one kind of question')
  for (const kind of kinds) {
    oneOf('kinds', kind, roomKinds)
    if (kind === order && camera.opening === undefined) {
      throw new InputError(
        `kinds: '${kind}' needs rooms that come into view piece by piece, but recipe '${name}' shows all of a room from the first frame; use recipe 'reveal', or give its camera an opening`,
      )
    }
  }
}
