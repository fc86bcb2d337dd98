// Sizes of a dataset from some of its rows.
import { describe, expect, it } from 'vitest'
import { fromArray } from '../../../src/data/dataset.js'
import { InputError } from '../../../src/errors.js'
import { measureRows } from '../../../src/plan/sizes.js'
import type { Message, Prompt } from '../../../src/types.js'

/** A token per letter; a picture is `<side>.png`, a square of so many patches, and as many tokens over four. */
const processor = {
  encode: (text: string) => new Int32Array(text.length),
  async prompt(messages: readonly Message[], { where }: { where?: string } = {}): Promise<Prompt> {
    const parts = messages.flatMap(({ content }) =>
      typeof content === 'string' ? [{ type: 'text' as const, text: content }] : content,
    )
    const text = parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('')
    if (text === 'bad') throw new InputError(`${where}: no such row`)
    const blank = { patches: new Uint8Array(), byteValues: new Float32Array() }
    const sides = parts.flatMap((part) => (part.type === 'image' ? [Number.parseInt(part.image, 10)] : []))
    const media = sides.map((side) => ({ key: `${side}`, ...blank, grid: [1, side, side] as const }))
    const shared = sides.reduce((sum, side) => sum + side ** 2 / 4, 0)
    const ids = new Int32Array(shared + text.length)
    return { ids, positions: new Int32Array(3 * ids.length), nextPosition: 0, media, sharedLength: shared }
  },
}

const ask = (text: string, ...sides: number[]) => ({
  messages: [
    {
      role: 'user' as const,
      content: [
        ...sides.map((side) => ({ type: 'image' as const, image: `${side}.png` })),
        { type: 'text' as const, text },
      ],
    },
  ],
})
const options = { answers: [], onUnusableRow: 'stop' } as const

describe('measureRows', () => {
  it('gives the most of each size, and the mean', async () => {
    const rows = fromArray([ask('abcdefgh', 4), ask('ab', 4, 8)])
    expect(await measureRows(rows, processor, options)).toEqual({
      rows: 2,
      // 8 letters with 4 tokens of 16 patches; 2 letters with 20 tokens of 80 patches, frames of 64 at most.
      longest: { prompt: { tokens: 22, shared: 20, patches: 80, framePatches: 64 }, answer: 0, turns: 0 },
      mean: { prompt: { tokens: 17, shared: 12, patches: 48, framePatches: 40 }, answer: 0, turns: 0 },
      media: 2,
    })
  })

  it('looks at eight rows of many, and at all for equal media', async () => {
    let asked = 0
    const counting = {
      ...processor,
      prompt(messages: readonly Message[]) {
        asked++
        return processor.prompt(messages)
      },
    }
    const many = fromArray(Array.from({ length: 1000 }, (_, i) => ask('a'.repeat(1 + (i % 500)), 4 + (i % 3))))
    const { rows, longest, media } = await measureRows(many, counting, options)
    expect([rows, asked, media]).toEqual([8, 8, 3])
    expect(longest.prompt.tokens).toBeGreaterThan(300)
  })

  it('counts the longer of the answers with its end, also as a message', async () => {
    const chosen = [{ role: 'assistant', content: 'four' }]
    const rows = fromArray([{ ...ask('q'), chosen, rejected: 'twelve' }])
    const { longest } = await measureRows(rows, processor, { ...options, answers: ['chosen', 'rejected'] })
    expect(longest.answer).toBe(7)
  })

  it('counts the turns of the assistant in a prompt', async () => {
    const { messages } = ask('q')
    const rows = fromArray([{ messages: [...messages, { role: 'assistant', content: 'four' }, ...messages] }, ask('q')])
    const { longest } = await measureRows(rows, processor, options)
    expect(longest.turns).toBe(1)
  })

  it('names a row that cannot be read, or leaves it out as training does', async () => {
    const rows = fromArray([ask('bad'), ask('good')])
    await expect(measureRows(rows, processor, options)).rejects.toThrow('example 0: no such row')
    expect((await measureRows(rows, processor, { ...options, onUnusableRow: 'skip' })).rows).toBe(1)
    const none = measureRows(fromArray([ask('bad')]), processor, { ...options, onUnusableRow: 'skip' })
    await expect(none).rejects.toThrow('no such row')
  })
})
