import { beforeAll, describe, expect, it } from 'vitest'
import { Tokenizer } from '../../../src/processing/tokenizer.js'
import { golden, int32Tensor, tokenizerDir } from '../../parity/processor-golden.js'

let tokenizer: Tokenizer
beforeAll(async () => {
  tokenizer = await Tokenizer.load(tokenizerDir())
})

describe('Tokenizer', () => {
  it.each(['text', 'unicode'])('gives the ids of the Rust tokenizer: %s', (name) => {
    expect(tokenizer.encode(golden.prompts[name]?.hf?.prompt ?? '')).toEqual(int32Tensor(`ids/${name}`))
  })

  it('recognises special tokens in the text and adds none', () => {
    expect(tokenizer.encode('<|im_start|>a<|im_end|>')).toEqual(Int32Array.of(151644, 64, 151645))
    expect(tokenizer.encode('')).toEqual(new Int32Array(0))
  })

  it('decodes to the text, with or without special tokens', () => {
    const ids = tokenizer.encode('two chairs 👩‍🚀<|im_end|>')
    expect(tokenizer.decode(ids)).toBe('two chairs 👩‍🚀<|im_end|>')
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('two chairs 👩‍🚀')
    expect(tokenizer.decode([])).toBe('')
  })

  it('knows tokens by spelling', () => {
    expect(tokenizer.id('<|video_pad|>')).toBe(151656)
    expect(tokenizer.id('<|no such token|>')).toBeUndefined()
  })

  it('says which file is missing', async () => {
    await expect(Tokenizer.load('/nowhere')).rejects.toThrow('/nowhere/tokenizer.json: file not found')
  })
})
