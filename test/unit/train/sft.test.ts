/** What supervised fine-tuning learns of a row. */
import { describe, expect, it } from 'vitest'
import { fromArray } from '../../../src/data/dataset.js'
import { encodeCompletion } from '../../../src/train/sft.js'
import { processor } from './fake-engine.js'

describe('encodeCompletion', () => {
  const rows = fromArray([{ messages: [{ role: 'user', content: 'a' }], completion: 'xy' }])

  it('ends with the first end token, so that the model learns to stop', () => {
    const two = { ...processor, eosIds: Int32Array.of(5, 0) }
    expect([...encodeCompletion(rows, 0, two)]).toEqual([...processor.encode('xy'), 5])
  })

  it('is the text alone for a model without end tokens', () => {
    const none = { ...processor, eosIds: new Int32Array() }
    expect(encodeCompletion(rows, 0, none)).toEqual(processor.encode('xy'))
  })
})
