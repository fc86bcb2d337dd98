/**
 * What a model is asked: the benchmark's lines (Thinking in Space, table 10) with its own last line, or with the wording of
 * arXiv 2504.00883, sections 2 and 3.2. All prompts are verbatim; how the paper joined its wording with the options is not
 * published: here the benchmark's line for letters comes first.
 */
import { instructions } from '../../data/questions/instructions.js'
import { splitOption } from '../../data/questions/marks.js'
import { answerText } from '../../rewards/answer.js'
import type { ContentPart, Message } from '../../types.js'
import type { Question } from './questions.js'

/** The wordings: `vanilla` is the benchmark's own; `row` takes the messages that the question's row brings along. */
export const promptNames = ['vanilla', 'think', 'observe', 'short', 'think-free', 'observe-free', 'row'] as const
export type PromptName = (typeof promptNames)[number]

const beforeQuestion = 'These are frames of a video.'

/** Section 3.2: with tags; `short` is its vanilla. Section 2: without tags. */
const wordings: Readonly<Record<Exclude<PromptName, 'vanilla' | 'row'>, string>> = {
  think:
    'Please think step by step and enclose your thinking process in <think> </think> tags and then provide the short answer with one or two words or a number in <answer> </answer>.',
  observe:
    'Please observe carefully and analyze what you see that helps you to solve the question in the video and enclose it in <observe> </observe> tag, and then provide the short answer with one or two words or a number in <answer> </answer>.',
  short: instructions.word,
  'think-free': "Let's think step by step and then answer the question using a single word or phrase.",
  'observe-free': 'Please observe the video first and then answer the question using a single word or phrase.',
}

/** Whether answers come in `<answer>` tags. */
export function isTagged(prompt: PromptName): boolean {
  return prompt === 'think' || prompt === 'observe'
}

/** Tokens that an answer may have: the benchmark's 16, or room for thoughts. */
export function answerTokens(prompt: PromptName): number {
  return isTagged(prompt) || prompt === 'think-free' ? 512 : 16
}

/** The text of a question under a prompt. */
export function questionText(
  { question, options }: Pick<Question, 'question' | 'options'>,
  prompt: Exclude<PromptName, 'row'>,
): string {
  const wording = prompt === 'vanilla' ? undefined : wordings[prompt]
  const choices = options === null ? [] : ['Options:', ...options]
  const last = options === null ? [wording ?? instructions.open] : [instructions.letter, ...(wording ? [wording] : [])]
  return [beforeQuestion, question, ...choices, ...last].join('\n')
}

/** The video first, then the text. */
export function questionMessages(
  question: Question,
  prompt: Exclude<PromptName, 'row'>,
  video: string | readonly string[],
): Message[] {
  const content: ContentPart[] = [
    { type: 'video', video },
    { type: 'text', text: questionText(question, prompt) },
  ]
  return [{ role: 'user', content }]
}

/**
 * What is scored of a completion: the body of its one `<answer>` pair, or all of it where there is no tag; nothing where
 * tags are unpaired (cut off) or repeated, as the accuracy reward reads it.
 */
export function predictionOf(completion: string, prompt: PromptName): string {
  return isTagged(prompt) ? (answerText(completion) ?? '').trim() : completion
}

/**
 * Not the published rule: an answer that is an option's text and nothing else counts as its letter, for models that were
 * taught to name the object.
 */
export function letterOfName(prediction: string, options: readonly string[] | null): string {
  const plain = (text: string): string => text.trim().toLowerCase().replace(/\.$/, '')
  const named = (options ?? []).map(splitOption).filter(({ text }) => plain(text) === plain(prediction))
  return named.length === 1 ? (named[0]?.mark ?? prediction) : prediction
}
