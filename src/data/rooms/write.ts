/**
 * Writes a set of rooms as a folder: scenes.json, questions.jsonl and frames/<scene>/NNN.png or videos/<scene>.mp4,
 * whole or not at all.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { writeFolder } from '../../atomic-folder.js'
import { AbortedError, errorCode, InputError, messageOf, VsgrpoError } from '../../errors.js'
import { runFfmpeg } from '../../ffmpeg.js'
import { type Room, type RoomExample, type RoomSet, roomExamples } from './dataset.js'
import { encodePng } from './png.js'
import { framesPerSecond } from './seen.js'

export interface WriteRoomsOptions {
  /** 'png' (default) writes frames; 'mp4' needs ffmpeg. */
  readonly format?: 'png' | 'mp4'
  /** Other frames than the room's own, for example grey ones. */
  readonly frames?: (room: Room) => Uint8Array
  /** Frames per second of mp4 files; default 2, which is what times of first appearance count by. */
  readonly fps?: number
  readonly signal?: AbortSignal
  /** Called after each room. */
  readonly onProgress?: (done: number, total: number) => void
}

export interface WrittenRooms {
  readonly dir: string
  readonly rooms: number
  readonly questions: number
}

/** Throws InputError when `dir` exists and is not an empty folder. Paths in questions.jsonl are relative to it. */
export async function writeRooms(dir: string, set: RoomSet, options: WriteRoomsOptions = {}): Promise<WrittenRooms> {
  const target = resolve(dir)
  await requireEmpty(target, dir)
  await writeFolder(target, (temporary) => writeAll(temporary, set, options), { existing: 'merge' })
  const questions = set.rooms.reduce((sum, room) => sum + room.questions.length, 0)
  return { dir: target, rooms: set.rooms.length, questions }
}

async function writeAll(dir: string, set: RoomSet, options: WriteRoomsOptions): Promise<void> {
  const examples: RoomExample[] = []
  const scenes: Record<string, unknown> = {}
  for (const [index, room] of set.rooms.entries()) {
    if (options.signal?.aborted === true) throw new AbortedError()
    const video = await writeVideo(dir, set, room, options)
    const videoPath = typeof video === 'string' ? video : dirname(video[0] ?? '')
    scenes[room.name] = { ...room.scene, video_path: videoPath }
    examples.push(...roomExamples(set, room, video))
    options.onProgress?.(index + 1, set.rooms.length)
  }
  await writeFile(join(dir, 'scenes.json'), `${JSON.stringify(scenes)}\n`)
  await writeFile(join(dir, 'questions.jsonl'), examples.map((example) => `${JSON.stringify(example)}\n`).join(''))
}

async function writeVideo(dir: string, set: RoomSet, room: Room, options: WriteRoomsOptions) {
  const frames = options.frames?.(room) ?? room.frames()
  if (options.format === 'mp4') return writeMp4(dir, set, room, frames, options.fps ?? framesPerSecond)
  const { width, height } = set.recipe.camera
  const size = width * height * 3
  const folder = `frames/${room.name}`
  await mkdir(join(dir, folder), { recursive: true })
  const paths = room.scene.cameras.map((_, index) => `${folder}/${String(index).padStart(3, '0')}.png`)
  const writes = paths.map((path, index) =>
    writeFile(join(dir, path), encodePng(frames.subarray(index * size, (index + 1) * size), width, height)),
  )
  await Promise.all(writes)
  return paths
}

async function writeMp4(dir: string, set: RoomSet, room: Room, frames: Uint8Array, fps: number): Promise<string> {
  const { width, height } = set.recipe.camera
  const path = `videos/${room.name}.mp4`
  await mkdir(join(dir, 'videos'), { recursive: true })
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-r', String(fps), '-i', 'pipe:0']
  const output = ['-pix_fmt', 'yuv420p', '-movflags', '+faststart', join(dir, path)]
  const failure = await runFfmpeg(['-y', ...input, ...output], { instead: "use format 'png'", input: frames })
  if (failure !== undefined) throw new VsgrpoError(`ffmpeg: ${failure}`, { code: 'ERR_VSGRPO_SAVE' })
  return path
}

async function requireEmpty(target: string, dir: string): Promise<void> {
  let entries: string[]
  try {
    entries = await readdir(target)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return
    throw new InputError(`${dir}: expected a folder: ${messageOf(error)}`, { cause: error })
  }
  if (entries.length > 0) throw new InputError(`${dir}: exists and is not empty; name a new folder or remove it`)
}
