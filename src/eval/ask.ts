/**
 * A model's greedy answers to questions about videos. Questions about one video are asked together, so that it is encoded
 * once for all of them; answers are written as they come.
 */
import { AbortedError } from '../errors.js'
import type { Policy, PolicyProcessor } from '../policy.js'
import type { Message, Prompt } from '../types.js'
import type { Answer, AnswerFile } from './answers.js'

/** One question as the model is asked it. */
export interface Asked {
  readonly id: string | number
  /** Questions with equal scenes share their video. */
  readonly scene: string
  readonly messages: readonly Message[]
  /** `file:line`, for errors. */
  readonly where: string
  /** What is scored of what the model wrote. */
  readonly read: (completion: string) => string
}

/** The part of a policy that answers. */
export interface Answerer {
  readonly processor: Pick<PolicyProcessor, 'prompt'>
  readonly generate: Policy['generate']
}

export interface AskOptions {
  readonly policy: Answerer
  readonly answers: AnswerFile
  readonly maxNewTokens: number
  readonly signal: AbortSignal
  /** Called after each part. */
  readonly onProgress?: (done: number, total: number) => void
}

/** A part holds whole scenes, until it has this many questions or numbers of pixels. */
const questionsPerPart = 256
const pixelsPerPart = 1e8

/** Asks every question that has no answer yet. */
export async function askAll(questions: readonly Asked[], options: AskOptions): Promise<void> {
  const { answers, policy, maxNewTokens, signal } = options
  const open = questions.filter(({ id }) => answers.get(id) === undefined)
  for await (const part of parts(open, options)) {
    const completions = await policy.generate(
      part.map(({ prompt }) => prompt),
      { temperature: 0, maxNewTokens, signal },
    )
    answers.append(part.map(({ asked }, i) => answerTo(asked, completions[i]?.[0])))
    options.onProgress?.(answers.size, questions.length)
  }
}

function answerTo(asked: Asked, completion: { text: string; finishReason: 'stop' | 'length' } | undefined): Answer {
  const { text, finishReason } = completion ?? { text: '', finishReason: 'length' as const }
  return { id: asked.id, prediction: asked.read(text), completion: text, finishReason }
}

interface Ready {
  readonly asked: Asked
  readonly prompt: Prompt
}

async function* parts(questions: readonly Asked[], { policy, signal }: AskOptions): AsyncGenerator<Ready[]> {
  let part: Ready[] = []
  let pixels = 0
  for (const scene of byScene(questions)) {
    const shown = new Set<string>()
    for (const asked of scene) {
      if (signal.aborted) throw new AbortedError(undefined, signal.reason)
      const prompt = await policy.processor.prompt(asked.messages, { where: `${asked.where} (id ${asked.id})`, signal })
      part.push({ asked, prompt })
      for (const { key, patches } of prompt.media) {
        if (!shown.has(key)) pixels += patches.length
        shown.add(key)
      }
    }
    if (part.length < questionsPerPart && pixels < pixelsPerPart) continue
    yield part
    part = []
    pixels = 0
  }
  if (part.length > 0) yield part
}

/** Scenes in order of first appearance. */
function byScene(questions: readonly Asked[]): Asked[][] {
  const scenes = new Map<string, Asked[]>()
  for (const question of questions) {
    const own = scenes.get(question.scene)
    if (own) own.push(question)
    else scenes.set(question.scene, [question])
  }
  return [...scenes.values()]
}
