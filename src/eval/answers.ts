/**
 * The file of a model's answers, one row a question, written as they come: a run that was interrupted goes on where it
 * stopped. Rows of other settings or another model are never mixed in.
 */
import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { writeAtomically } from '../atomic-file.js'
import { InputError } from '../errors.js'
import { isObject } from '../json.js'
import { LineFile, readLines } from '../log/lines.js'
import { sceneOf } from './scenes.js'
import { listed, type Question } from './vsi-bench/questions.js'
import { scorePrediction } from './vsi-bench/score.js'

/** Everything that decides an answer, but for the question. */
export type Settings = Readonly<Record<string, string | number>>

export interface Answer {
  /** The question's. */
  readonly id: string | number
  /** What is scored. */
  readonly prediction: string
  /** All that the model wrote. */
  readonly completion: string
  readonly finishReason: 'stop' | 'length'
}

export class AnswerFile {
  private readonly answers = new Map<string, Answer>()
  private readonly questions: ReadonlyMap<string, Question>
  private readonly lines: LineFile | undefined

  /**
   * Opens `file` and keeps the rows in it; undefined keeps answers in memory alone. Throws an InputError when the rows are
   * of other settings, or of other questions, be it under the same ids.
   */
  constructor(
    file: string | undefined,
    private readonly settings: Settings,
    questions: readonly Question[],
  ) {
    this.questions = new Map(questions.map((question) => [String(question.id), question]))
    if (file === undefined) return
    if (existsSync(file)) this.keep(file)
    this.lines = new LineFile(file)
  }

  /** How many questions are answered. */
  get size(): number {
    return this.answers.size
  }

  get(id: string | number): Answer | undefined {
    return this.answers.get(String(id))
  }

  append(answers: readonly Answer[]): void {
    for (const answer of answers) this.answers.set(String(answer.id), answer)
    this.lines?.append(answers.map((answer) => this.rowOf(answer)))
  }

  close(): void {
    this.lines?.close()
  }

  private rowOf(answer: Answer): object {
    return { ...answerRow(this.questions.get(String(answer.id)), answer), settings: this.settings }
  }

  /** Reads what is there. A line torn by a crash is cut off, so that the next one begins on its own. */
  private keep(file: string): void {
    if (statSync(file).isDirectory()) throw new InputError(`--output ${file}: expected a file, got a folder`)
    const rows = readLines(file)
    const strange: string[] = []
    for (const row of rows) {
      const { id, prediction, completion, finishReason, settings } = row
      const key = String(id)
      if (typeof prediction !== 'string') throw mixed(file, `rows without a prediction (id ${key})`)
      const other = differenceOf(settings, this.settings)
      if (other !== undefined) throw mixed(file, `answers with ${other}`)
      if (!isAbout(row, this.questions.get(key))) strange.push(key)
      const ended = finishReason === 'stop' ? 'stop' : 'length'
      const own = this.questions.get(key)?.id ?? key
      this.answers.set(key, { id: own, prediction, completion: String(completion), finishReason: ended })
    }
    if (strange.length > 0) throw mixed(file, `answers to other questions: ${listed(strange)}`)
    writeAtomically(
      file,
      [...this.answers.values()].map((answer) => `${JSON.stringify(this.rowOf(answer))}\n`).join(''),
    )
  }
}

/** A question, its answer and the points for it by the published rule: all that a closer look at a result needs. */
export function answerRow<T extends { readonly prediction: string }>(
  question: Question | undefined,
  answer: T,
): object {
  if (question === undefined) return answer
  const { dataset, scene_name, question_type, options, ground_truth } = question
  const about = { dataset, scene_name, question_type, question: question.question, options, ground_truth }
  return { ...answer, ...about, score: scorePrediction(question, answer.prediction) }
}

/**
 * A name for the weights in a model's folder: sizes and samples of the files, so that a model trained anew in the same
 * place is not taken for the old one.
 */
export function fingerprint(dir: string): string {
  const hash = createHash('sha256')
  const names = readdirSync(dir).filter((name) => name.endsWith('.safetensors'))
  for (const name of names.sort()) {
    const { size } = statSync(join(dir, name))
    hash.update(`${name} ${size} `).update(samples(join(dir, name), size))
  }
  return hash.digest('hex').slice(0, 16)
}

const sampleCount = 64
const sampleBytes = 4096

function samples(path: string, size: number): Buffer {
  const file = openSync(path, 'r')
  try {
    const all = Buffer.alloc(sampleCount * sampleBytes)
    for (let i = 0; i < sampleCount; i++) {
      const at = Math.floor((Math.max(0, size - sampleBytes) * i) / (sampleCount - 1))
      readSync(file, all, i * sampleBytes, sampleBytes, at)
    }
    return all
  } finally {
    closeSync(file)
  }
}

/** Whether a row answers this question: sets of one's own may number theirs alike. */
function isAbout(row: Readonly<Record<string, unknown>>, question: Question | undefined): boolean {
  if (question === undefined) return false
  return row.question === question.question && `${row.dataset}/${row.scene_name}` === sceneOf(question)
}

/** The first setting that differs, in words. */
function differenceOf(theirs: unknown, ours: Settings): string | undefined {
  const other = isObject(theirs) ? theirs : {}
  const name = Object.keys(ours).find((key) => other[key] !== ours[key])
  return name === undefined ? undefined : `${name} ${JSON.stringify(other[name]) ?? 'unknown'}, not ${ours[name]}`
}

function mixed(file: string, what: string): InputError {
  return new InputError(`--output ${file}: it holds ${what}; name another file, or remove this one to start again`)
}
