/** Ten thousand mutated image files: pixels, or an InputError that names the file. No crash, no hang. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { expect, it } from 'vitest'
import { InputError, messageOf } from '../../../src/errors.js'
import { decodeImage } from '../../../src/processing/image.js'
import { FIXTURES } from '../../parity/processor-golden.js'
import { flip, mutate, pick, type Random, randomFrom } from './mutate.js'

const INPUTS = 10_000
/** A damaged header may claim a canvas of a hundred million pixels, on a busy machine. */
const SLOWEST_MS = 20_000
const AT_A_TIME = 8

const folder = join(FIXTURES, 'images')
const files = readdirSync(folder).filter((name) => /\.(png|jpg|webp|gif|tif)$/.test(name))
const images = files.map((name) => readFileSync(join(folder, name)))

const dictionary = [
  ...[
    'IHDR',
    'IDAT',
    'IEND',
    'PLTE',
    'tRNS',
    'acTL',
    'RIFF',
    'VP8X',
    'ANIM',
    'EXIF',
    'Exif\0\0',
    'II*\0',
    'MM\0*',
    'GIF89a',
  ],
  ...['<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', '%PDF-1.4', 'P6 1 1 255 '],
].map((text) => Buffer.from(text, 'latin1'))
for (const hex of [
  'ffd8ff',
  'ffd9',
  'ffc0',
  'ffc2',
  'ffdb',
  'ffc4',
  'ffda',
  'ffe1',
  '00000000',
  'ffffffff',
  '7fffffff',
  '0000ffff',
]) {
  dictionary.push(Buffer.from(hex, 'hex'))
}

/** Right checksums, so that a mutation of a PNG gets past them. */
function withChecksums(png: Buffer): Buffer {
  const fixed = Buffer.from(png)
  for (let at = 8; at + 12 <= fixed.length; ) {
    const end = at + 8 + fixed.readUInt32BE(at)
    if (end + 4 > fixed.length) break
    fixed.writeUInt32BE(crc32(fixed.subarray(at + 4, end)), end)
    at = end + 4
  }
  return fixed
}

function mutatedImage(random: Random): Buffer {
  const image = pick(images, random)
  const bytes = random(2) === 0 ? flip(image, random) : mutate(image, dictionary, random)
  return bytes.subarray(1, 4).toString('latin1') === 'PNG' && random(3) > 0 ? withChecksums(bytes) : bytes
}

/** True: decoded. False: refused as it should be. Throws on anything else. */
async function decodesOrRefuses(bytes: Buffer, orient: boolean): Promise<boolean> {
  try {
    const { rgb, frames, height, width } = await decodeImage(bytes, 'f.img', {
      orient,
      alpha: orient ? 'drop' : 'white',
    })
    expect([frames, height > 0, width > 0, rgb.length]).toEqual([1, true, true, height * width * 3])
    return true
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    expect(error.message).toMatch(/^f\.img: [^\n]+$/)
    return false
  }
}

it('decodes or refuses ten thousand mutated files', { timeout: 120_000 }, async () => {
  const random = randomFrom(20250405)
  const inputs = Array.from({ length: INPUTS }, () => mutatedImage(random))
  const queue = inputs.entries()
  let read = 0
  let slowest = 0
  async function work(): Promise<void> {
    for (const [i, bytes] of queue) {
      const start = performance.now()
      try {
        if (await decodesOrRefuses(bytes, i % 2 === 0)) read++
      } catch (error) {
        throw new Error(`input ${i} (${bytes.toString('base64')}): ${messageOf(error)}`, { cause: error })
      }
      slowest = Math.max(slowest, performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work))
  console.log(`${read} decoded, ${INPUTS - read} refused, slowest ${slowest.toFixed(0)} ms`)
  expect(slowest).toBeLessThan(SLOWEST_MS)
  expect(read).toBeGreaterThan(INPUTS / 100)
  expect(read).toBeLessThan(INPUTS)
})
