/** A model's answers for `vsgrpo eval`: the videos are found, the model is loaded, and what is not answered yet is asked. */
import { dirname } from 'node:path'
import { parseRow } from '../data/row.js'
import {
  AnswerFile,
  type Asked,
  answerTokens,
  askAll,
  findVideos,
  fingerprint,
  type PromptName,
  predictionOf,
  type Question,
  questionMessages,
  type Settings,
  sceneOf,
  type Videos,
} from '../eval/index.js'
import { interruptible } from '../interrupt.js'
import { findModelFolder } from '../model-folder.js'
import { loadModel } from '../policy.js'
import { loadOptions, type ModelOptions } from './options.js'
import { say, sayTimeLeft } from './talk.js'

export interface AskModelOptions extends ModelOptions {
  readonly questions: string
  readonly model: string
  readonly videos?: string
  readonly output?: string
  readonly prompt: PromptName
  readonly frames: number
  readonly maxNewTokens?: number
}

export interface Answered {
  readonly name: string
  /** In the order of the questions. */
  readonly predictions: readonly string[]
  readonly settings: Settings
}

export async function askModel(options: AskModelOptions, questions: readonly Question[]): Promise<Answered> {
  const { model, prompt, frames, output, videos: from } = options
  // Before the model is loaded: what is missing costs no waiting.
  const videos = prompt === 'row' ? undefined : await findVideos(questions, from, frames)
  try {
    const asked = questions.map((question) => askedOf(question, options, videos))
    const maxNewTokens = options.maxNewTokens ?? answerTokens(prompt)
    const settings: Settings = {
      ...{ model, weights: fingerprint(findModelFolder(model)), prompt, frames, maxNewTokens },
      ...{ processor: options.processor, ropeCompat: options.ropeCompat, dtype: options.dtype },
      videos: from ?? (prompt === 'row' ? dirname(options.questions) : "the Hub's cache"),
    }
    const answers = new AnswerFile(output, settings, questions)
    if (answers.size > 0) say(`${output}: ${answers.size} of ${questions.length} questions are answered already`)
    try {
      if (answers.size < questions.length) await askOpen(asked, options, { answers, maxNewTokens, videos })
    } finally {
      answers.close()
    }
    return { name: model, predictions: questions.map(({ id }) => answers.get(id)?.prediction ?? ''), settings }
  } finally {
    videos?.close()
  }
}

interface Asking {
  readonly answers: AnswerFile
  readonly maxNewTokens: number
  readonly videos: Videos | undefined
}

function askOpen(asked: readonly Asked[], options: AskModelOptions, asking: Asking): Promise<void> {
  const load = loadOptions(options)
  const sampling = { frames: options.frames, spacing: 'ends' } as const
  return interruptible(async (signal) => {
    const policy = await loadModel(options.model, { ...load, processor: { ...load.processor, sampling } })
    try {
      const onProgress = sayTimeLeft('questions', { before: asking.answers.size })
      await askAll(asked, { ...asking, policy, signal, onProgress })
    } finally {
      policy.dispose()
    }
  })
}

function askedOf(question: Question, options: AskModelOptions, videos: Videos | undefined): Asked {
  const { id, where } = question
  const { prompt } = options
  const scene = sceneOf(question)
  const read = (completion: string): string => predictionOf(completion, prompt)
  return { id, where, scene, messages: messagesOf(question, options, videos?.paths.get(scene)), read }
}

/** The row's own where that is wanted; else the benchmark's lines about the video. */
function messagesOf(question: Question, options: AskModelOptions, video: string | readonly string[] = '') {
  const { where, messages } = question
  if (options.prompt !== 'row') return questionMessages(question, options.prompt, video)
  const mediaRoot = options.videos ?? dirname(options.questions)
  return parseRow({ messages }, { where, mediaRoot }).messages
}
