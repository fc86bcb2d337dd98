import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Processor } from '../../../src/processing/index.js'
import { CONFIG, checkpointDir, golden, int32Tensor } from '../../parity/processor-golden.js'

let dir = ''
let processor: Processor
beforeAll(async () => {
  dir = checkpointDir()
  processor = await Processor.load(dir)
})
afterAll(() => rmSync(dir, { recursive: true }))

const ask = (...content: unknown[]) => JSON.parse(JSON.stringify([{ role: 'user', content }]))

describe('Processor', () => {
  it('makes text prompts without the addon', async () => {
    const prompt = await processor.prompt(golden.prompts.text?.messages ?? [])
    expect(prompt.ids).toEqual(int32Tensor('ids/text'))
    expect(prompt).toMatchObject({ media: [], sharedLength: 0, nextPosition: prompt.ids.length })
    expect(processor.decode(processor.encode('a chair'))).toBe('a chair')
  })

  it('takes the end tokens from the files, and else by spelling', async () => {
    expect(processor.eosIds).toEqual(Int32Array.of(151645))
    expect([processor.maxPositions, processor.mergeUnit]).toEqual([1024, 4])
    const bare = checkpointDir({ eos_token_id: undefined })
    expect((await Processor.load(bare)).eosIds).toEqual(Int32Array.of(151645, 151643))
    rmSync(bare, { recursive: true })
  })

  it('refuses placeholders in the text that no media belongs to, saying where', async () => {
    const messages = ask({ type: 'text', text: 'look: <|image_pad|>' })
    await expect(processor.prompt(messages, { where: 'train.jsonl:7' })).rejects.toMatchObject({
      name: 'InputError',
      message: 'train.jsonl:7: 1 image placeholders for 0 images',
      hint: 'Add the missing image part, or remove <|image_pad|> from the text.',
    })
  })

  it('refuses prompts longer than the model allows', async () => {
    const long = ask({ type: 'text', text: 'chair '.repeat(1200) })
    await expect(processor.prompt(long)).rejects.toThrow(/the prompt has 1\d\d\d tokens, the model allows 1024/)
  })

  it('names a file that is not there, and one that is no image', async () => {
    const missing = ask({ type: 'image', image: 'no.png' })
    await expect(processor.prompt(missing, { where: 'a:1', baseDir: dir })).rejects.toThrow(
      `a:1: ${join(dir, 'no.png')}: file not found`,
    )
    const foreign = ask({ type: 'video', video: ['config.json'] })
    await expect(processor.prompt(foreign, { baseDir: dir })).rejects.toThrow(/config.json: not a readable image/)
  })

  it('says that it reads no URL and no folder, and what to name instead', async () => {
    const url = ask({ type: 'image', image: join(dir, 'https://example.org/a.png') })
    await expect(processor.prompt(url, { where: 'a:1' })).rejects.toMatchObject({
      message: 'a:1: https://example.org/a.png: media are not read from URLs',
      hint: 'Download it, and name the file.',
    })
    await expect(processor.prompt(ask({ type: 'video', video: dir }))).rejects.toMatchObject({
      message: expect.stringMatching(/: that is a folder$/),
      hint: 'Name a file in it; of a video also a list of its frames.',
    })
  })

  it('refuses frames whose bytes do not fill their shape', async () => {
    const frames = [{ rgb: new Uint8Array(5), frames: 1, height: 2, width: 2 }]
    await expect(processor.prompt(ask({ type: 'image', image: '' }), { frames })).rejects.toThrow(
      /\[1, 2, 2, 3\] RGB bytes, got 5/,
    )
  })

  it('stops when aborted', async () => {
    await expect(processor.prompt(ask(), { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('refuses files that belong to different models', async () => {
    const mixed = checkpointDir()
    writeFileSync(join(mixed, 'config.json'), JSON.stringify({ ...CONFIG, vision_config: { spatial_merge_size: 4 } }))
    await expect(Processor.load(mixed)).rejects.toThrow(/merge_size is 2, config.json's spatial_merge_size is 4/)
    rmSync(mixed, { recursive: true })
  })
})
