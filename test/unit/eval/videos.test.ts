/** Where videos are found: in folders, in the zip archives that VSI-Bench publishes, in the Hub's cache. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { findVideos, type Video } from '../../../src/eval/videos.js'
import { evenIndices } from '../../../src/processing/frame-sampling.js'
import { zipOf } from '../data/zip-fixture.js'
import { counting, questions } from './questions.js'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'videos-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(dir, { recursive: true, force: true })
})

function make(path: string, content: string | Buffer = ''): string {
  mkdirSync(join(dir, path, '..'), { recursive: true })
  writeFileSync(join(dir, path), content)
  return join(dir, path)
}

const one = questions(counting)
const both = questions(counting, { ...counting, id: 1, scene_name: 's1' })
const archive = (...names: string[]): Buffer => zipOf(names.map((name) => ({ name, content: `film ${name}` })))

async function found(from: string | undefined, frames = 32): Promise<Video | undefined> {
  const videos = await findVideos(one, from, frames)
  videos.close()
  return videos.paths.get('arkitscenes/s0')
}

/** What is in a scene's file while it is lent, and whether it is gone afterwards. */
async function lent(from: string | undefined, scene = 'arkitscenes/s0', list = one): Promise<string> {
  const videos = await findVideos(list, from, 32)
  const path = String(videos.paths.get(scene))
  expect(existsSync(path)).toBe(false)
  const giveBack = await videos.lend(scene)
  const content = readFileSync(path, 'utf8')
  giveBack()
  expect(existsSync(path)).toBe(false)
  videos.close()
  expect(existsSync(join(path, '..'))).toBe(false)
  return content
}

describe('findVideos in a folder', () => {
  it.each(['arkitscenes/s0.mp4', 's0.mkv', 'videos/s0.mp4', 'videos/arkitscenes/s0.webm'])('finds %s', async (path) => {
    expect(await found(join(make(path), path.replace(/[^/]+/g, '..')))).toBe(join(dir, path))
  })

  it('takes evenly spaced frames of a folder, in the order of their numbers', async () => {
    for (let i = 0; i < 12; i++) make(`frames/s0/${i}.png`)
    make('frames/s0/notes.txt')
    expect(await found(dir, 4)).toEqual([0, 3, 7, 11].map((i) => join(dir, `frames/s0/${i}.png`)))
    expect(await found(dir, 32)).toHaveLength(12)
  })

  it('names the scenes without a video and where one was looked for', async () => {
    make('arkitscenes/other.mp4')
    await expect(findVideos(one, dir, 32)).rejects.toThrow(
      /expected a video for each of 1 scenes, got none for 1: arkitscenes\/s0; question 0 needs arkitscenes\/s0.mp4 \(there or in a zip/,
    )
    await expect(findVideos(one, join(dir, 'nowhere'), 32)).rejects.toThrow(
      /nowhere: expected a folder or a zip archive, got nothing of that name/,
    )
    await expect(findVideos(one, make('notes.txt'), 32)).rejects.toThrow(/got file of that name/)
  })

  it('spaces indices as numpy.linspace(0, N - 1, n, dtype=int) does', () => {
    expect(evenIndices(100, 8)).toEqual([0, 14, 28, 42, 56, 70, 84, 99])
    expect(evenIndices(1800, 32).slice(-3)).toEqual([1682, 1740, 1799])
    expect([evenIndices(3, 8), evenIndices(9, 1)]).toEqual([[0, 1, 2], [0]])
  })
})

describe('findVideos in zip archives', () => {
  it.each(['arkitscenes/s0.mp4', 's0.mp4', 'data/arkitscenes/s0.MP4', 'videos/s0.mkv'])(
    'has %s on disk while it is lent, and nothing else',
    async (name) => {
      const zip = make('arkitscenes.zip', archive('arkitscenes/other.mp4', name))
      expect(await lent(zip)).toBe(`film ${name}`)
      expect(await lent(dir)).toBe(`film ${name}`)
    },
  )

  it('prefers a film that is unpacked already, and takes what is not from whichever archive has it', async () => {
    const film = make('arkitscenes/s0.mp4', 'unpacked')
    make('a.zip', archive('scannet/s1.mp4'))
    make('b.zip', archive('arkitscenes/s0.mp4', 'arkitscenes/s1.mp4'))
    const videos = await findVideos(both, dir, 32)
    expect(videos.paths.get('arkitscenes/s0')).toBe(film)
    const giveBack = await videos.lend('arkitscenes/s0')
    giveBack()
    expect(readFileSync(film, 'utf8')).toBe('unpacked')
    videos.close()
    expect(await lent(dir, 'arkitscenes/s1', both)).toBe('film arkitscenes/s1.mp4')
  })

  it('does not take another data set’s scene of the same name', async () => {
    const zip = make('a.zip', archive('scannet/s0.mp4'))
    await expect(findVideos(one, zip, 32)).rejects.toThrow(/a.zip: expected a video for each of 1 scenes/)
  })

  it('leaves no folder behind when an archive is damaged or a scene is missing', async () => {
    vi.stubEnv('TMPDIR', dir)
    const zip = make('a.zip', archive('scannet/s0.mp4'))
    await expect(findVideos(one, zip, 32)).rejects.toThrow()
    writeFileSync(zip, 'no archive')
    await expect(findVideos(one, zip, 32)).rejects.toThrow(/a.zip: expected a whole and safe zip archive/)
    expect(readdirSync(dir)).toEqual(['a.zip'])
  })
})

describe('findVideos in the Hub’s cache', () => {
  const commit = 'c'.repeat(40)
  const cached = (repo: string): string => `hub/datasets--${repo}/snapshots/${commit}`

  it('finds VSI-Bench below HF_HOME where nothing is said', async () => {
    vi.stubEnv('HF_HOME', dir)
    make('hub/datasets--nyu-visionx--VSI-Bench/refs/main', commit)
    make(`${cached('nyu-visionx--VSI-Bench')}/arkitscenes.zip`, archive('arkitscenes/s0.mp4'))
    expect(await lent(undefined)).toBe('film arkitscenes/s0.mp4')
  })

  it('finds the archive of the questions’ data set in a repository that is named', async () => {
    vi.stubEnv('HF_HOME', dir)
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    make('hub/datasets--org--own/refs/main', commit)
    make(`${cached('org--own')}/arkitscenes.zip`, archive('arkitscenes/s0.mp4'))
    expect(await lent('hf://datasets/org/own')).toBe('film arkitscenes/s0.mp4')
    expect(await lent('hf://datasets/org/own/arkitscenes.zip')).toBe('film arkitscenes/s0.mp4')
    await expect(lent('hf://datasets/org/none')).rejects.toThrow(
      /hf:\/\/datasets\/org\/none@main\/arkitscenes.zip: not in/,
    )
  })

  it('says how to name or fetch videos where the cache has none', async () => {
    vi.stubEnv('HF_HOME', dir)
    await expect(findVideos(one, undefined, 32)).rejects.toThrow(
      /^--videos is missing: the folder .* or hf:\/\/datasets\/nyu-visionx\/VSI-Bench to fetch/,
    )
    make('hub/datasets--nyu-visionx--VSI-Bench/refs/main', commit)
    make(`${cached('nyu-visionx--VSI-Bench')}/test.jsonl`)
    await expect(findVideos(one, undefined, 32)).rejects.toThrow(/the Hub's cache .*: expected a video for each of 1/)
  })
})
