/** What is asked, to the letter, and what is read of the answer. */
import { describe, expect, it } from 'vitest'
import {
  answerTokens,
  isTagged,
  letterOfName,
  type PromptName,
  predictionOf,
  promptNames,
  questionMessages,
  questionText,
} from '../../../src/eval/vsi-bench/prompts.js'
import { counting, direction, questions } from './questions.js'

const [number, choice] = questions(counting, direction)
if (!number || !choice) throw new Error('two questions')

describe('questionText', () => {
  it('is the benchmark’s for vanilla', () => {
    expect(questionText(number, 'vanilla')).toBe(
      'These are frames of a video.\nHow many chair(s) are in this room?\nPlease answer the question using a single word or phrase.',
    )
    expect(questionText(choice, 'vanilla')).toBe(
      "These are frames of a video.\nLeft or right?\nOptions:\nA. left\nB. right\nAnswer with the option's letter from the given choices directly.",
    )
  })
  it('ends with the paper’s wording, after the line for letters', () => {
    expect(questionText(number, 'think').split('\n').at(-1)).toBe(
      'Please think step by step and enclose your thinking process in <think> </think> tags and then provide the short answer with one or two words or a number in <answer> </answer>.',
    )
    expect(questionText(choice, 'observe').split('\n').slice(-2)).toEqual([
      "Answer with the option's letter from the given choices directly.",
      'Please observe carefully and analyze what you see that helps you to solve the question in the video and enclose it in <observe> </observe> tag, and then provide the short answer with one or two words or a number in <answer> </answer>.',
    ])
    expect(questionText(number, 'short')).toMatch(
      /\nPlease provide the short answer with one or two words or a number\.$/,
    )
    expect(questionText(number, 'think-free')).toMatch(
      /\nLet's think step by step and then answer the question using a single word or phrase\.$/,
    )
    expect(questionText(number, 'observe-free')).toMatch(
      /\nPlease observe the video first and then answer the question using a single word or phrase\.$/,
    )
  })
  it('comes after the video', () => {
    expect(questionMessages(number, 'vanilla', 'a.mp4')).toEqual([
      {
        role: 'user',
        content: [
          { type: 'video', video: 'a.mp4' },
          { type: 'text', text: questionText(number, 'vanilla') },
        ],
      },
    ])
  })
})

describe('predictionOf', () => {
  it('takes the body of the one answer tag under tagged prompts, everything under the others', () => {
    expect(promptNames.filter(isTagged)).toEqual(['think', 'observe'])
    expect(['vanilla', 'short', 'row', 'observe-free'].map((name) => answerTokens(name as PromptName))).toEqual([
      16, 16, 16, 16,
    ])
    expect([answerTokens('think'), answerTokens('observe'), answerTokens('think-free')]).toEqual([512, 512, 512])
    expect(predictionOf('<think>a</think><answer> B </answer>', 'think')).toBe('B')
    expect(predictionOf('<think>a</think><answer> B </answer>', 'vanilla')).toMatch(/^<think>/)
    expect(predictionOf('4', 'think')).toBe('4')
  })
  it('has nothing of an answer that is cut off or given twice', () => {
    expect(predictionOf('<think>a</think><answer>B', 'think')).toBe('')
    expect(predictionOf('<answer>A</answer><answer>B</answer>', 'observe')).toBe('')
  })
})

describe('letterOfName', () => {
  it('gives the letter of an option that the answer names, and leaves the rest as it is', () => {
    const named = ['Right', 'right.', 'A', 'right side', 'nothing'].map((text) => letterOfName(text, choice.options))
    expect(named).toEqual(['B', 'B', 'A', 'right side', 'nothing'])
    expect(letterOfName('sofa', ['A. sofa', 'B. sofa'])).toBe('sofa')
    expect(letterOfName('4', null)).toBe('4')
  })
})
