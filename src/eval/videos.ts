/**
 * The video of a question in a folder: <dataset>/<scene_name>.mp4 as VSI-Bench's archives unpack, the same without the
 * dataset, or a folder of frames; below the folder itself or its `videos` or `frames`.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../errors.js'
import { listed, type Question } from './vsi-bench/questions.js'

/** A file, or frames in order. */
export type Video = string | readonly string[]
type Scene = Pick<Question, 'id' | 'dataset' | 'scene_name'>

const movies = ['.mp4', '.mkv', '.webm', '.mov', '.avi']
const pictures = /\.(png|jpe?g|webp)$/i

/** The name under which questions share a video. */
export function sceneOf({ dataset, scene_name }: Omit<Scene, 'id'>): string {
  return `${dataset}/${scene_name}`
}

/**
 * The video of every scene, before anything is computed. Of a folder's pictures `frames` are taken, evenly spaced; all of
 * them where there are fewer. Throws an InputError that names scenes, a question and where was looked.
 */
export function findVideos(questions: readonly Scene[], dir: string, frames: number): Map<string, Video> {
  if (kindOf(dir) !== 'folder') throw new InputError(`--videos ${dir}: expected a folder, got none of that name`)
  const found = new Map<string, Video>()
  const missing = new Map<string, Scene>()
  for (const question of questions) {
    const scene = sceneOf(question)
    if (found.has(scene) || missing.has(scene)) continue
    const video = findVideo(question, dir, frames)
    if (video === undefined) missing.set(scene, question)
    else found.set(scene, video)
  }
  const [first] = missing.values()
  if (first === undefined) return found
  throw new InputError(
    `--videos ${dir}: expected a video for each of ${found.size + missing.size} scenes, got none for ${missing.size}: ${listed([...missing.keys()])}; question ${first.id} needs ${first.dataset}/${first.scene_name}.mp4, or a folder ${first.scene_name} of frames`,
  )
}

/** Evenly spaced indices from the first to the last of `total`, whole numbers by truncation, as the benchmark takes them. */
export function evenIndices(total: number, count: number): number[] {
  if (total <= count) return Array.from({ length: total }, (_, i) => i)
  if (count === 1) return [0]
  const step = (total - 1) / (count - 1)
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? total - 1 : Math.floor(i * step)))
}

function findVideo(question: Scene, dir: string, frames: number): Video | undefined {
  const names = [sceneOf(question), question.scene_name]
  const places = ['', 'videos', 'frames'].flatMap((below) => names.map((name) => join(dir, below, name)))
  for (const place of places) {
    const file = movies.map((ending) => `${place}${ending}`).find((path) => kindOf(path) === 'file')
    if (file !== undefined) return file
    const pictured = kindOf(place) === 'folder' ? picturesOf(place, frames) : []
    if (pictured.length > 0) return pictured
  }
  return undefined
}

/** Frame 10 comes after frame 9, whatever their zeros. */
function picturesOf(folder: string, frames: number): string[] {
  const order = new Intl.Collator('en', { numeric: true })
  const names = readdirSync(folder)
    .filter((name) => pictures.test(name))
    .sort(order.compare)
  return evenIndices(names.length, frames).flatMap((i) => join(folder, names[i] ?? ''))
}

function kindOf(path: string): 'file' | 'folder' | undefined {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return undefined
  return stats.isDirectory() ? 'folder' : 'file'
}
