import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Processor, type ProcessorOptions } from '../../src/processing/index.js'
import type { ContentPart, Media, Message, Prompt } from '../../src/types.js'
import {
  checkpointDir,
  FIXTURES,
  golden,
  int32Tensor,
  type ProfileGolden,
  type ProfileName,
  type PromptGolden,
  samplePixels,
} from './processor-golden.js'

const PROFILES: ProfileName[] = ['hf', 'hf-slow', 'qwen-vl-utils']
let dir = ''

beforeAll(() => {
  dir = checkpointDir()
})
afterAll(() => rmSync(dir, { recursive: true }))

const loaded = new Map<string, Promise<Processor>>()

/** Loading reads a 7 MB tokenizer: once per set of options. */
function load(options: ProcessorOptions): Promise<Processor> {
  const key = JSON.stringify(options)
  const processor = loaded.get(key) ?? Processor.load(dir, options)
  loaded.set(key, processor)
  return processor
}

function makePrompt(processor: Processor, { messages, media }: PromptGolden): Promise<Prompt> {
  const frames = media.map(([, count, height, width]) => samplePixels(count, height, width))
  return processor.prompt(messages, { frames })
}

/** [P, 1176] what the vision tower reads. */
function pixelValues({ patches, byteValues }: Media): Float32Array {
  return Float32Array.from(patches, (byte, i) => byteValues[256 * Math.floor((i % 1176) / 392) + byte] ?? Number.NaN)
}

/** Grids and the checksum of all patches of one kind, in order. */
function summary(prompt: Prompt, { media }: PromptGolden, kind: 'image' | 'video') {
  const items = prompt.media.filter((_, i) => media[i]?.[0] === kind)
  if (items.length === 0) return undefined
  const hash = createHash('sha256')
  for (const item of items) hash.update(new Uint8Array(pixelValues(item).buffer))
  return { grids: items.map(({ grid }) => [...grid]), patches: hash.digest('hex') }
}

function expected(row: ProfileGolden, kind: 'image' | 'video') {
  const [grids, patches] = kind === 'image' ? [row.imageGrids, row.imagePatches] : [row.videoGrids, row.videoPatches]
  return grids && { grids, patches }
}

describe.each(PROFILES)('the %s profile', (profile) => {
  const cases = Object.entries(golden.prompts).filter(([, row]) => row[profile])

  it.each(cases)('gives the reference patches and lengths: %s', async (_, row) => {
    const reference = row[profile]
    if (!reference) throw new Error('no golden')
    const prompt = await makePrompt(await load({ profile }), row)
    expect(prompt.ids.length).toBe(reference.length)
    for (const kind of ['image', 'video'] as const) {
      expect(summary(prompt, row, kind)).toEqual(expected(reference, kind))
    }
  })
})

describe('ids and positions', () => {
  it.each(Object.entries(golden.prompts))('equal those of transformers 4 and 5: %s', async (name, row) => {
    for (const compat of [4, 5] as const) {
      const prompt = await makePrompt(await load({ ropeCompat: compat }), row)
      expect(prompt.ids).toEqual(int32Tensor(`ids/${name}`))
      expect(prompt.positions).toEqual(int32Tensor(`positions-${compat}/${name}`))
      expect(prompt.nextPosition).toBe(compat === 4 ? row.hf?.next : row.hf?.next5)
    }
  })
})

describe('media', () => {
  const ask = (part: ContentPart): Message[] => [{ role: 'user', content: [part, { type: 'text', text: '?' }] }]

  it('are the same object when the same content comes again', async () => {
    const processor = await load({})
    const messages = ask({ type: 'image', image: 'photo.jpg' })
    const context = { baseDir: join(FIXTURES, 'images') }
    const [a, b] = await Promise.all([processor.prompt(messages, context), processor.prompt(messages, context)])
    expect(a.media[0]).toBe(b.media[0])
    expect(a.media[0]?.grid).toEqual([1, 4, 6])
  })

  it('may be a list of frame files, with an odd last frame repeated', async () => {
    const processor = await load({})
    const video = ['grey.png', 'grey.png', 'bits.png']
    const prompt = await processor.prompt(ask({ type: 'video', video }), { baseDir: join(FIXTURES, 'images') })
    expect(prompt.media[0]?.grid[0]).toBe(2)
    expect(prompt.sharedLength).toBe(prompt.ids.lastIndexOf(151656) + 1)
  })

  it('are made quickly for a small rendered video', async () => {
    const processor = await load({ cacheBytes: 0 })
    const messages = ask({ type: 'video', video: '' })
    const videos = Array.from({ length: 200 }, (_, i) => samplePixels(4, 56, 56 + 28 * (i % 2)))
    for (const frames of videos.slice(0, 20)) await processor.prompt(messages, { frames: [frames] })
    const start = performance.now()
    for (const frames of videos) await processor.prompt(messages, { frames: [frames] })
    const each = (performance.now() - start) / videos.length
    console.log(`${each.toFixed(2)} ms per prompt`)
    expect(each).toBeLessThan(10)
  })
})
