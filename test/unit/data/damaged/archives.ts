/** Zip archives of videos, and videos that are missing or broken. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { findVideos } from '../../../../src/eval/videos.js'
import { decodeVideo } from '../../../../src/processing/video.js'
import { counting, questions } from '../../eval/questions.js'
import { type ZippedFile, zipOf } from '../zip-fixture.js'
import { type DamagedInput, put, type SoundInputs } from './kinds.js'

const video: ZippedFile = { name: 'arkitscenes/s0.mp4', content: randomBytes(5000) }
const packed = { ...video, deflate: true }

/** Finds the question's video in the archive, and unpacks it. */
const read = (archive: Buffer) => async (dir: string) => {
  const videos = await findVideos(questions(counting), put(dir, 'v.zip', archive), 32)
  try {
    const giveBack = await videos.lend('arkitscenes/s0')
    giveBack()
  } finally {
    videos.close()
  }
}

const zipped = (name: string, archive: Buffer, message: RegExp): DamagedInput => ({
  name,
  read: read(archive),
  message,
})
const unsafe = (name: string): Buffer => zipOf([video, { name, content: 'x' }])
const damage = (archive: Buffer, from: number, to: number): Buffer => Buffer.from(archive).fill(0x55, from, to)

export const soundArchives: SoundInputs = {
  'a zip archive': read(zipOf([video])),
  'a zip archive that is packed': read(zipOf([packed])),
}

export const damagedArchives: readonly DamagedInput[] = [
  zipped(
    'a zip with a path that leads out of it',
    unsafe('../s0.mp4'),
    /^v.zip: expected a whole and safe zip archive: invalid relative path: \.\.\/s0.mp4/,
  ),
  zipped('a zip with .. inside a path', unsafe('arkitscenes/../../x'), /^v.zip: .*relative path: arkitscenes\/\.\.\//),
  zipped('a zip with .. behind backslashes', unsafe('arkitscenes\\..\\..\\x'), /^v.zip: .*relative path/),
  zipped('a zip with an absolute path', unsafe('/etc/x'), /^v.zip: .*absolute path: \/etc\/x/),
  zipped('a zip with a drive letter', unsafe('C:/x'), /^v.zip: .*absolute path: C:\/x/),
  zipped('a zip with a file twice', zipOf([video, video]), /^v.zip: .*it holds arkitscenes\/s0.mp4 twice/),
  zipped('a zip cut off', zipOf([video]).subarray(0, 4000), /^v.zip: expected a whole .*not found.*; fetch it again/),
  zipped('a zip without its beginning', zipOf([video]).subarray(1000), /^v.zip: .*; fetch it again/),
  zipped('a zip that is empty', Buffer.alloc(0), /^v.zip: expected a whole and safe zip archive/),
  zipped('a zip that is something else', Buffer.from('no archive at all, just text'), /^v.zip: expected a whole/),
  zipped(
    'a video that is encrypted',
    zipOf([{ ...video, encrypted: true }]),
    /^v.zip: arkitscenes\/s0.mp4: it is encrypted; give an archive without a password/,
  ),
  zipped(
    'a video packed by an unknown method',
    zipOf([{ ...packed, method: 93 }]),
    /^v.zip: arkitscenes\/s0.mp4: its compression method 93 is none of 0 \(stored\), 8 \(deflate\)/,
  ),
  zipped(
    'a video with a wrong byte',
    damage(zipOf([video]), 500, 501),
    /^v.zip: arkitscenes\/s0.mp4: .*CRC-32 differs/,
  ),
  zipped('a packed video with wrong bytes', damage(zipOf([packed]), 60, 90), /^v.zip: arkitscenes\/s0.mp4: expected/),
  zipped(
    'a packed video larger than it says',
    zipOf([{ ...packed, size: 10 }]),
    /^v.zip: arkitscenes\/s0.mp4: .*too many bytes/,
  ),
  zipped(
    'an archive without the scene',
    zipOf([{ ...video, name: 'arkitscenes/s1.mp4' }]),
    /^--videos v.zip: .*got none for 1: arkitscenes\/s0; question 0 needs/,
  ),
  {
    name: 'a folder without the scene',
    read: (dir) => {
      put(dir, 'films/arkitscenes/s1.mp4', '')
      return findVideos(questions(counting), join(dir, 'films'), 32)
    },
    message: /^--videos films: .*got none for 1: arkitscenes\/s0; question 0 needs arkitscenes\/s0.mp4/,
  },
  {
    name: 'a video that is no video',
    read: (dir) => decodeVideo(put(dir, 's0.mp4', 'no video'), { sample: () => [0] }),
    message: /^s0.mp4: ffmpeg cannot read it \(.+\)/,
  },
  {
    name: 'a video that is empty',
    read: (dir) => decodeVideo(put(dir, 's0.mp4', ''), { sample: () => [0] }),
    message: /^s0.mp4: ffmpeg cannot read it \(.+\)/,
  },
]
