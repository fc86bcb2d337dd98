/** Questions as rows in VSI-Bench's fields, their options in an order that makes every letter right equally often. */
import { type Random, randomStream } from '../../random.js'
import type { SceneRecord } from '../scenes/record.js'
import { letterOf } from './marks.js'
import type { AnswerStyle } from './options.js'
import type { Question, QuestionKind } from './question.js'

export interface QuestionRow {
  readonly id: number
  readonly dataset: string
  readonly scene_name: string
  readonly question_type: QuestionKind
  readonly question: string
  /** 'A. chair', … or '1. chair', …; null for open questions. */
  readonly options: readonly string[] | null
  /** The option's letter or number, a number or a word. */
  readonly ground_truth: string
}

export interface RowStyle {
  readonly style: AnswerStyle
  readonly seed: number
}

/** Numbers rows and keeps count of the letters. */
export class RowWriter {
  private id = 0
  private readonly random: Random
  /** Per kind and number of options, how often each place was right. */
  private readonly places = new Map<string, number[]>()

  constructor(private readonly style: RowStyle) {
    this.random = randomStream('options', style.seed)
  }

  write(scene: string, { dataset }: SceneRecord, question: Question): QuestionRow {
    const { style } = this.style
    const common = { id: this.id++, dataset, scene_name: scene, question_type: question.kind }
    if (question.options === null || style === 'word') {
      return { ...common, question: question.question, options: null, ground_truth: question.answer }
    }
    const options = this.arrange(question, question.options)
    const mark = (index: number): string => (style === 'letter' ? letterOf(index) : String(index + 1))
    return {
      ...common,
      // A sentence that lists the options lists them in their order.
      question: question.question.replace(question.options.join(', '), () => options.join(', ')),
      options: options.map((option, index) => `${mark(index)}. ${option}`),
      ground_truth: mark(options.indexOf(question.answer)),
    }
  }

  /** Puts the answer into the place that was right least often, the others around it in random order. */
  private arrange({ kind, answer }: Question, options: readonly string[]): string[] {
    const key = `${kind} ${options.length}`
    const counts = this.places.get(key) ?? options.map(() => 0)
    this.places.set(key, counts)
    const least = Math.min(...counts)
    const place = this.random.pick([...counts.keys()].filter((index) => counts[index] === least))
    counts[place] = least + 1
    const others = this.random.shuffle(options.filter((option) => option !== answer))
    return [...others.slice(0, place), answer, ...others.slice(place)]
  }
}
