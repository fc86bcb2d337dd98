/** Prompts in parts: whole groups, until there are enough prompts or pixels. */
import { describe, expect, it } from 'vitest'
import { inParts } from '../../../src/policy/parts.js'
import type { Prompt } from '../../../src/types.js'

function prompt(video: string, patches: Uint8Array): { prompt: Prompt } {
  const media = [{ key: video, patches, byteValues: new Float32Array(), grid: [1, 1, 1] as const }]
  return {
    prompt: { ids: new Int32Array(1), positions: new Int32Array(3), nextPosition: 1, media, sharedLength: 1 },
  }
}

/** How many prompts each part has, of groups of a size that all see their own video. */
async function sizes(groups: number, each: number, pixels: number): Promise<number[]> {
  const patches = new Uint8Array(pixels)
  async function* made() {
    for (let i = 0; i < groups; i++) yield Array.from({ length: each }, () => prompt(`video ${i}`, patches))
  }
  const found: number[] = []
  for await (const part of inParts(made())) found.push(part.length)
  return found
}

describe('inParts', () => {
  it('ends a part at 256 prompts, but never within a group', async () => {
    expect(await sizes(600, 1, 1)).toEqual([256, 256, 88])
    expect(await sizes(6, 100, 1)).toEqual([300, 300])
    expect(await sizes(2, 300, 1)).toEqual([300, 300])
    expect(await sizes(0, 1, 1)).toEqual([])
  })

  it('ends a part at a hundred million numbers of pixels, of which those of one video count once', async () => {
    expect(await sizes(5, 1, 5e7)).toEqual([2, 2, 1])
    expect(await sizes(3, 20, 3e7)).toEqual([60])
    expect(await sizes(3, 2, 1e8)).toEqual([2, 2, 2])
  })
})
