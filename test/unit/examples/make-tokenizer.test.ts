import { describe, expect, it } from 'vitest'
import { trainTokenizer } from '../../../examples/demo/make-tokenizer.js'
import { isObject } from '../../../src/json.js'
import { Tokenizer } from '../../../src/processing/tokenizer.js'

const TEXTS = [
  'How many chairs are in this room?',
  'How many tables are in this room?',
  'Which of these objects is the closest to the chair?',
  'Measuring from the closest point, what is the distance between the table and the chair?',
]

function train(size: number) {
  const trained = trainTokenizer(TEXTS, size)
  const { tokenizerJson, tokenizerConfig } = trained
  if (!isObject(tokenizerJson) || !isObject(tokenizerConfig)) throw new Error('not objects')
  return { ...trained, tokenizer: new Tokenizer(tokenizerJson, tokenizerConfig) }
}

describe('trainTokenizer', () => {
  it('reads back any text exactly', () => {
    const { tokenizer } = train(320)
    for (const text of [...TEXTS, 'Ünïcode 漢字 👩‍🚀\n\t  12.5m²', "it's <|im_end|>"]) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)
    }
  })

  it('learns the words of its texts and keeps digits apart', () => {
    const { tokenizer } = train(400)
    expect(tokenizer.encode(' chair').length).toBe(1)
    expect(tokenizer.encode('2048').length).toBe(4)
  })

  it('appends the special tokens to the base vocabulary, in order of their published ids', () => {
    const { ids, vocabSize, tokenizer } = train(300)
    expect(vocabSize).toBe(300)
    expect(Object.values(ids)).toEqual(Array.from({ length: 14 }, (_, i) => 286 + i))
    expect(Object.keys(ids).at(-1)).toBe('<|video_pad|>')
    expect(tokenizer.encode('<|im_start|>')).toEqual(Int32Array.of(ids['<|im_start|>'] ?? -1))
  })

  it('stops early when nothing repeats, and refuses sizes without room for all bytes', () => {
    expect(trainTokenizer(['ab'], 1000).vocabSize).toBe(270)
    expect(() => trainTokenizer(TEXTS, 269)).toThrow(/at least 270/)
  })
})
