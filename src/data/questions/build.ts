/**
 * Scene records to question rows in the benchmark's fields. What is asked about a scene depends on its name, its record, the
 * seed and what balancing still wants; the order of kinds and files does not matter otherwise.
 */
import { randomStream } from '../../random.js'
import { refuseHeldOut } from '../scenes/held-out.js'
import type { SceneRecord, Scenes } from '../scenes/record.js'
import { AnswerLedger } from './balance.js'
import { builders } from './builders.js'
import { type BuildOptions, type BuildPlan, planOf, rulesFor } from './options.js'
import type { Question, QuestionKind } from './question.js'
import { type QuestionRow, RowWriter } from './row.js'
import type { QuestionBuilder } from './rules.js'

interface AboutScene {
  readonly scene: string
  readonly record: SceneRecord
  readonly question: Question
}

/** Candidates that are looked at for each question that is taken. */
const choiceOf = 4

/** Makes the rows. Throws an InputError on bad options, and when scenes are held out for testing. */
export function buildQuestions(scenes: Scenes, options: BuildOptions = {}): QuestionRow[] {
  const plan = planOf(options)
  if (!plan.allowTestScenes) refuseHeldOut(scenes, 'allow them (--allow-test-scenes) to make questions for testing')
  const ledger = new AnswerLedger()
  const all = [...scenes].flatMap(([scene, record]) => askAbout(scene, record, plan, ledger))
  const writer = new RowWriter(plan)
  return withinLimits(all, plan).map(({ scene, record, question }) => writer.write(scene, record, question))
}

function askAbout(scene: string, record: SceneRecord, plan: BuildPlan, ledger: AnswerLedger): AboutScene[] {
  const rules = rulesFor(plan, record)
  return plan.tasks.flatMap((kind) => {
    const random = randomStream('questions', plan.seed, scene, kind)
    const candidates = take(builders[kind](record, rules, random), choiceOf * plan.perScene)
    const chosen = plan.balance ? rarestFirst(random.shuffle(candidates), ledger) : candidates
    const taken = chosen.slice(0, plan.perScene)
    for (const question of taken) ledger.add(question)
    return taken.map((question) => ({ scene, record, question }))
  })
}

function take(questions: ReturnType<QuestionBuilder>, most: number): Question[] {
  const taken: Question[] = []
  for (const question of questions) {
    taken.push(question)
    if (taken.length >= most) break
  }
  return taken
}

/** The sort is stable: ties stay in random order. */
function rarestFirst(questions: readonly Question[], ledger: AnswerLedger): Question[] {
  return questions
    .map((question) => ({ question, excess: ledger.excess(question) }))
    .sort((a, b) => a.excess - b.excess)
    .map(({ question }) => question)
}

/** Drops questions of kinds that have too many, evenly over the scenes; the rest keep their order. */
function withinLimits(all: readonly AboutScene[], { limits, seed }: BuildPlan): AboutScene[] {
  const dropped = new Set<AboutScene>()
  for (const [kind, limit] of Object.entries(limits)) {
    const ofKind = all.filter(({ question }) => question.kind === (kind as QuestionKind))
    for (const one of randomStream('limit', seed, kind).shuffle(ofKind).slice(limit)) dropped.add(one)
  }
  return all.filter((one) => !dropped.has(one))
}
