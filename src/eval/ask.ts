/**
 * A model's greedy answers to questions about videos. Questions about one video are asked together, so that it is encoded
 * once for all of them; answers are written as they come.
 */
import { AbortedError } from '../errors.js'
import { groupBy } from '../group-by.js'
import { inParts } from '../policy/parts.js'
import type { Policy, PolicyProcessor } from '../policy.js'
import type { Message, Prompt } from '../types.js'
import type { Answer, AnswerFile } from './answers.js'
import type { Videos } from './videos.js'

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
  /** Asked for a scene's video before its prompts are made; absent where messages name files that are there. */
  readonly videos?: Pick<Videos, 'lend'>
  readonly maxNewTokens: number
  readonly signal: AbortSignal
  /** Called after each part. */
  readonly onProgress?: (done: number, total: number) => void
}

/** Asks every question that has no answer yet. */
export async function askAll(questions: readonly Asked[], options: AskOptions): Promise<void> {
  const { answers, policy, maxNewTokens, signal } = options
  const open = questions.filter(({ id }) => answers.get(id) === undefined)
  for await (const part of inParts(promptsByScene(open, options))) {
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

/** The prompts of one scene after the other: they share their video, so they stay together. */
async function* promptsByScene(questions: readonly Asked[], options: AskOptions): AsyncGenerator<Ready[]> {
  for (const scene of groupBy(questions, (asked) => asked.scene).values()) {
    yield await withVideo(scene, options)
  }
}

async function withVideo(scene: readonly Asked[], options: AskOptions): Promise<Ready[]> {
  const release = await options.videos?.lend(scene[0]?.scene ?? '', options.signal)
  try {
    return await promptsOf(scene, options)
  } finally {
    release?.()
  }
}

async function promptsOf(scene: readonly Asked[], { policy, signal }: AskOptions): Promise<Ready[]> {
  const ready: Ready[] = []
  for (const asked of scene) {
    if (signal.aborted) throw new AbortedError(undefined, signal.reason)
    const where = `${asked.where} (id ${asked.id})`
    ready.push({ asked, prompt: await policy.processor.prompt(asked.messages, { where, signal }) })
  }
  return ready
}
