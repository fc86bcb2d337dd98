import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { encodePng, grey, makeRooms, writeRooms } from '../../../../src/data/rooms/index.js'
import { InputError } from '../../../../src/errors.js'
import { decodeVideo } from '../../../../src/processing/video.js'
import { ffmpeg } from '../../../ffmpeg.js'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vsgrpo-rooms-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const set = makeRooms({ recipe: 'demo', count: 3, seed: 2 })

describe('encodePng', () => {
  it('is read back unchanged by another decoder', async () => {
    const rgb = Uint8Array.from({ length: 5 * 7 * 3 }, (_, i) => (i * 37) % 256)
    const { data, info } = await sharp(encodePng(rgb, 5, 7))
      .raw()
      .toBuffer({ resolveWithObject: true })
    expect([info.width, info.height, info.channels]).toEqual([5, 7, 3])
    expect(new Uint8Array(data)).toEqual(rgb)
  })
})

describe('writeRooms', () => {
  it('writes scenes, questions and frames that fit together', async () => {
    const dir = join(folder, 'out')
    const written = await writeRooms(dir, set)
    expect(written).toEqual({ dir, rooms: 3, questions: 9 })
    const scenes = JSON.parse(await readFile(join(dir, 'scenes.json'), 'utf8'))
    const rows = (await readFile(join(dir, 'questions.jsonl'), 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(rows).toHaveLength(9)
    for (const row of rows) {
      expect(Object.keys(scenes)).toContain(row.scene_name)
      for (const path of row.messages[0].content[0].video) expect(existsSync(join(dir, path))).toBe(true)
    }
    const [room] = set.rooms
    const first = await sharp(join(dir, `frames/${room?.name}/001.png`))
      .raw()
      .toBuffer()
    expect(new Uint8Array(first)).toEqual(room?.frames().slice(56 * 56 * 3, 2 * 56 * 56 * 3))
    expect(await readdir(folder)).toEqual(['out'])
  })

  it('writes other frames when told to', async () => {
    await writeRooms(join(folder, 'grey'), set, { frames: (room) => grey(room.frames()) })
    const pixels = await sharp(join(folder, `grey/frames/${set.rooms[0]?.name}/000.png`))
      .raw()
      .toBuffer()
    expect(new Set(pixels)).toEqual(new Set([128]))
  })

  it('accepts an empty folder and refuses one with content, leaving it alone', async () => {
    await mkdir(join(folder, 'empty'))
    await writeRooms(join(folder, 'empty'), set)
    await mkdir(join(folder, 'full'))
    await writeFile(join(folder, 'full/mine.txt'), 'mine')
    await expect(writeRooms(join(folder, 'full'), set)).rejects.toThrow(InputError)
    expect(await readdir(join(folder, 'full'))).toEqual(['mine.txt'])
    await expect(writeRooms(join(folder, 'full/mine.txt'), set)).rejects.toThrow(/expected a folder/)
  })

  it('leaves nothing behind when it is interrupted', async () => {
    const stop = new AbortController()
    const writing = writeRooms(join(folder, 'half'), set, { signal: stop.signal, onProgress: () => stop.abort() })
    await expect(writing).rejects.toThrow(/interrupted/)
    expect(await readdir(folder)).toEqual([])
  })

  it('says what to install when mp4 is asked for without ffmpeg', async () => {
    vi.stubEnv('PATH', folder)
    vi.stubEnv('VSGRPO_FFMPEG', '')
    await expect(writeRooms(join(folder, 'video'), set, { format: 'mp4' })).rejects.toMatchObject({
      message: 'ffmpeg not found (ffmpeg)',
      hint: expect.stringMatching(/set VSGRPO_FFMPEG to its path, or use format 'png'/),
    })
    expect(await readdir(folder)).toEqual([])
  })

  it('makes films with the ffmpeg that VSGRPO_FFMPEG names', async () => {
    vi.stubEnv('PATH', folder)
    vi.stubEnv('VSGRPO_FFMPEG', ffmpeg)
    await writeRooms(join(folder, 'video'), set, { format: 'mp4' })
    const film = join(folder, `video/videos/${set.rooms[0]?.name}.mp4`)
    const { frames, height, width } = await decodeVideo(film, { sample: ({ total }) => [0, total - 1] })
    expect([frames, height, width]).toEqual([2, 56, 56])
  })
})
