/** Predictions to the whole result: scores, intervals, the Debiased subset, blind controls and what they warn of. Pure. */

import { meanRelativeAccuracy } from '../../rewards/relative-accuracy.js'
import { type BlindQuestion, blindPoints, hindsightPoints, type Judge, mostFrequent, perCategory } from '../blind.js'
import { type BootstrapOptions, bootstrap, differences, intervals, type Replicates } from '../bootstrap.js'
import { sceneOf } from '../scenes.js'
import { categoryOf } from './category.js'
import { float } from './python.js'
import type { Question } from './questions.js'
import { aggregate, combine, countTasks, firstWord, isReadable, type Scores, scorePrediction } from './score.js'
import { questionTypes, type TaskName, taskLabels, taskNames } from './tasks.js'

type Span = readonly [number, number]

/** 95 % of the replicates lie between; in points of 100. */
export interface Intervals {
  readonly average: Span | null
  readonly tasks: Readonly<Record<TaskName, Span | null>>
}

export interface Control {
  readonly name: string
  readonly scores: Scores
}

export interface Subset {
  readonly questions: number
  readonly counts: Readonly<Record<TaskName, number>>
  readonly scores: Scores
  readonly intervals: Intervals
  readonly controls: readonly Control[]
}

export interface Evaluation extends Subset {
  /** The questions that are not pruned; undefined where the rows do not say, or none is pruned. */
  readonly debiased?: Subset
  /** Predictions in which the scorer found no letter or number. */
  readonly unreadable: Readonly<Record<TaskName, number>>
  /** Tasks that a control answers about as well. */
  readonly warnings: readonly string[]
}

export interface EvaluateOptions extends BootstrapOptions {
  /** Questions with answers to fit the blind controls on; default: the other half of the scenes. */
  readonly training?: readonly Question[]
}

/** `predictions` in the order of the questions. */
export function evaluatePredictions(
  questions: readonly Question[],
  predictions: readonly string[],
  options: EvaluateOptions = {},
): Evaluation {
  const points = Float64Array.from(questions, (question, i) => scorePrediction(question, predictions[i] ?? ''))
  const controls = blindControls(questions, options.training)
  const whole = measure(questions, points, controls, options)
  const kept = questions.flatMap(({ pruned }, i) => (pruned === false ? [i] : []))
  const part =
    kept.length > 0 && kept.length < questions.length
      ? measurePart(questions, points, controls, kept, options)
      : undefined
  const unread = questions.filter((question, i) => !isReadable(question, predictions[i] ?? ''))
  return {
    ...whole.subset,
    ...(part ? { debiased: part.subset } : {}),
    unreadable: countTasks(unread),
    warnings: [...whole.warnings, ...(part?.warnings ?? []).map((line) => `Debiased: ${line}`)],
  }
}

/** Named points [Q] of answerers that saw nothing. */
interface ControlPoints {
  readonly name: string
  readonly points: Float64Array
  /** Told the answers it is scored on: quoted, not compared with. */
  readonly hindsight?: true
}

function blindControls(questions: readonly Question[], training: readonly Question[] | undefined): ControlPoints[] {
  const asked = questions.map(blind)
  const fitted = training?.map(blind)
  const judge = createJudge()
  const controls = [
    { name: 'blind: most frequent answer', learn: mostFrequent },
    { name: 'blind: constant per category', learn: perCategory },
  ]
  const learned = controls.flatMap(({ name, learn }) => {
    const points = blindPoints(asked, learn, judge, fitted)
    return points ? [{ name, points }] : []
  })
  return [
    ...learned,
    { name: 'best single answer in hindsight', points: hindsightPoints(asked, judge), hindsight: true },
  ]
}

function blind(question: Question): BlindQuestion {
  return {
    scene: sceneOf(question),
    kind: question.question_type,
    category: categoryOf(question),
    options: question.options,
    truth: question.ground_truth,
  }
}

/** Scores as the benchmark does. It remembers what texts mean as numbers: controls give few answers to many questions. */
function createJudge(): Judge {
  const numbers = new Map<string, number>()
  const numberOf = (text: string): number => {
    const known = numbers.get(text) ?? float(firstWord(text)) ?? Number.NaN
    numbers.set(text, known)
    return known
  }
  return ({ options, truth }, answer) => {
    if (options === null) return meanRelativeAccuracy(numberOf(answer), numberOf(truth))
    return firstWord(answer).toLowerCase() === truth.toLowerCase() ? 1 : 0
  }
}

interface Measured {
  readonly subset: Subset
  readonly warnings: readonly string[]
}

function measurePart(
  questions: readonly Question[],
  points: Float64Array,
  controls: readonly ControlPoints[],
  kept: readonly number[],
  options: BootstrapOptions,
): Measured {
  const pick = (values: Float64Array): Float64Array => Float64Array.from(kept, (i) => values[i] ?? 0)
  return measure(
    kept.flatMap((i) => questions[i] ?? []),
    pick(points),
    controls.map((control) => ({ ...control, points: pick(control.points) })),
    options,
  )
}

function measure(
  questions: readonly Question[],
  points: Float64Array,
  controls: readonly ControlPoints[],
  options: BootstrapOptions,
): Measured {
  const [own = [], ...others] = bootstrap(
    {
      clusters: questions.map(sceneOf),
      groups: questions.map(({ question_type: type }) => questionTypes.indexOf(type)),
      groupCount: questionTypes.length,
      series: [points, ...controls.map((control) => control.points)],
      statistic: (means) => {
        const { average, tasks } = combine(means)
        return [average * 100, ...tasks.map((task) => task * 100)]
      },
    },
    options,
  )
  const scores = aggregate(questions, points)
  const named = controls.map(({ name, points: values }) => ({ name, scores: aggregate(questions, values) }))
  const warnings = controls.flatMap(({ hindsight }, c) => {
    const control = named[c]
    return control && !hindsight ? warningOf(scores, control, differences(own, others[c] ?? [])) : []
  })
  const subset = { questions: questions.length, counts: countTasks(questions), scores, intervals: spans(own) }
  return { subset: { ...subset, controls: named }, warnings }
}

function spans(replicates: Replicates): Intervals {
  const [average, ...tasks] = intervals(replicates)
  return {
    average: average ?? null,
    tasks: Object.fromEntries(taskNames.map((name, i) => [name, tasks[i] ?? null])) as Intervals['tasks'],
  }
}

/** One line that names the tasks where the model's lead over a control could be chance, none where it leads in all. */
function warningOf(scores: Scores, control: Control, lead: Replicates): string[] {
  const [, ...spansOfLead] = intervals(lead)
  const near = taskNames.filter((_, i) => (spansOfLead[i]?.[0] ?? 1) <= 0)
  if (near.length === 0) return []
  const told = near.map((task) => {
    const [model, other] = [scores.tasks[task] ?? 0, control.scores.tasks[task] ?? 0]
    return `${taskLabels[task]} ${model.toFixed(1)} against ${other.toFixed(1)}`
  })
  return [`not clearly above "${control.name}" in ${told.join(', ')}`]
}

/** Whether the questions are the benchmark's, on which published results were measured. */
export function isBenchmark(questions: readonly Pick<Question, 'dataset'>[]): boolean {
  return questions.every(({ dataset }) => ['arkitscenes', 'scannet', 'scannetpp'].includes(dataset))
}
