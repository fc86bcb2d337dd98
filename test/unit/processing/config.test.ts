import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readModelConfig } from '../../../src/processing/model-config.js'
import { readProcessorConfig } from '../../../src/processing/processor-config.js'
import { CONFIG, PREPROCESSOR } from '../../parity/processor-golden.js'

function folder(files: Record<string, unknown>): string {
  const dir = mkdtempSync(join(tmpdir(), 'vsgrpo-config-'))
  for (const [name, value] of Object.entries(files)) {
    writeFileSync(join(dir, name), typeof value === 'string' ? value : JSON.stringify(value))
  }
  return dir
}

describe('readModelConfig', () => {
  it('reads the published, the 4.57 and the 5.x layout alike', async () => {
    const { max_position_embeddings, eos_token_id, ...rest } = CONFIG
    const text = { max_position_embeddings, eos_token_id }
    const published = await readModelConfig(folder({ 'config.json': CONFIG }))
    expect(published).toEqual({
      imageTokenId: 151655,
      videoTokenId: 151656,
      spatialMergeSize: 2,
      maxPositions: 1024,
      eosIds: [151645],
    })
    for (const config of [
      { ...CONFIG, text_config: text },
      { ...rest, text_config: text },
    ]) {
      expect(await readModelConfig(folder({ 'config.json': config }))).toEqual(published)
    }
  })

  it('takes end tokens from generation_config.json first', async () => {
    const generation = { eos_token_id: [151645, 151643], temperature: 0.01 }
    const config = await readModelConfig(folder({ 'config.json': CONFIG, 'generation_config.json': generation }))
    expect(config).toMatchObject({ eosIds: [151645, 151643] })
  })

  it('names the file and field of what is missing', async () => {
    await expect(readModelConfig(folder({}))).rejects.toThrow(/config.json: file not found/)
    await expect(readModelConfig(folder({ 'config.json': '{' }))).rejects.toThrow(/config.json: not valid JSON/)
    for (const field of ['image_token_id', 'max_position_embeddings']) {
      const broken = folder({ 'config.json': { ...CONFIG, [field]: undefined } })
      await expect(readModelConfig(broken)).rejects.toThrow(
        new RegExp(`config.json: field '${field}' must be an integer of at least 0, got`),
      )
    }
  })
})

describe('readProcessorConfig', () => {
  it('gives videos the image limits when they have no file of their own', async () => {
    const config = await readProcessorConfig(folder({ 'preprocessor_config.json': PREPROCESSOR }))
    expect(config.image).toMatchObject({ minPixels: 3136, maxPixels: 12845056, patchSize: 14, mergeSize: 2 })
    expect(config.video).toMatchObject(config.image)
  })

  it("reads size limits, a video file, and transformers 5's single file, which wins", async () => {
    const sized = {
      ...PREPROCESSOR,
      min_pixels: null,
      max_pixels: null,
      size: { shortest_edge: 784, longest_edge: 7840 },
    }
    const files: Record<string, unknown> = {
      'preprocessor_config.json': sized,
      'video_preprocessor_config.json': { ...PREPROCESSOR, fps: 1 },
    }
    const two = await readProcessorConfig(folder(files))
    expect(two.image).toMatchObject({ minPixels: 784, maxPixels: 7840 })
    expect(two.video).toMatchObject({ minPixels: 3136, fps: 1 })
    files['processor_config.json'] = { image_processor: PREPROCESSOR, video_processor: sized }
    const one = await readProcessorConfig(folder(files))
    expect([one.image.minPixels, one.video.minPixels]).toEqual([3136, 784])
  })

  it('has no defaults for limits, and refuses steps that are switched off', async () => {
    const load = (change: object) =>
      readProcessorConfig(folder({ 'preprocessor_config.json': { ...PREPROCESSOR, ...change } }))
    await expect(readProcessorConfig(folder({}))).rejects.toThrow(/preprocessor_config.json: file not found/)
    await expect(load({ max_pixels: undefined })).rejects.toThrow(/field 'max_pixels'/)
    await expect(load({ image_mean: [0.5] })).rejects.toThrow(/field 'image_mean'/)
    await expect(load({ do_resize: false })).rejects.toThrow(/'do_resize': false/)
    await expect(load({ rescale_factor: 1 })).rejects.toThrow(/'rescale_factor'/)
    await expect(load({ min_pixels: 2e7 })).rejects.toThrow(/larger than max_pixels/)
  })
})
