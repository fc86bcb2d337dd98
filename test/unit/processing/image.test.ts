import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeImage, type ImageOptions } from '../../../src/processing/image.js'
import { FIXTURES, golden } from '../../parity/processor-golden.js'

const HUB: ImageOptions = { orient: true, alpha: 'drop' }
const UTILS: ImageOptions = { orient: false, alpha: 'white' }
const read = (name: string) => readFileSync(join(FIXTURES, 'images', name))

async function decoded(name: string, options: ImageOptions) {
  const { height, width, rgb } = await decodeImage(read(name), name, options)
  return [height, width, createHash('sha256').update(rgb).digest('hex')]
}

describe('decodeImage', () => {
  it.each(Object.entries(golden.images))('gives the bytes that Pillow gives: %s', async (name, reference) => {
    expect(await decoded(name, HUB)).toEqual(reference.hf)
    expect(await decoded(name, UTILS)).toEqual(reference['qwen-vl-utils'])
  })

  it('turns a picture as its EXIF orientation says, or leaves it', async () => {
    expect((await decoded('turned.jpg', HUB)).slice(0, 2)).toEqual([60, 40])
    expect((await decoded('turned.jpg', UTILS)).slice(0, 2)).toEqual([40, 60])
  })

  it.each([
    ['grey16.png', /grey16.png: 16-bit greyscale/],
    ['cmyk.jpg', /cmyk.jpg: CMYK/],
    ['cut.png', /cut.png: not a readable image/],
  ])('refuses %s by name', async (name, message) => {
    await expect(decodeImage(read(name), name, HUB)).rejects.toThrow(message)
  })

  it('refuses what is no image', async () => {
    await expect(decodeImage(Buffer.from('text'), 'notes.txt', HUB)).rejects.toThrow(/^notes.txt: not a readable image/)
    await expect(decodeImage(Buffer.alloc(0), 'empty.png', HUB)).rejects.toThrow(/^empty.png: not a readable image/)
  })
})
