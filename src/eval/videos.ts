/**
 * The videos of questions: <dataset>/<scene_name>.mp4 as VSI-Bench publishes them, the same without the dataset, or a folder
 * of frames; in a folder, in its `videos` or `frames`, in zip archives beside them, or on the Hub.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { hubFile, parseHubPath } from '../data/hub.js'
import { cachedSnapshot } from '../data/hub-cache.js'
import { InputError } from '../errors.js'
import { evenIndices } from '../processing/frame-sampling.js'
import { movieEndings, type Scene, sceneOf } from './scenes.js'
import { listed } from './vsi-bench/questions.js'
import { ZippedVideos } from './zipped-videos.js'

/** A file, or frames in order. */
export type Video = string | readonly string[]

export interface Videos {
  /** By the name that `sceneOf` gives. */
  readonly paths: ReadonlyMap<string, Video>
  /** Has a scene's video at its path until the returned function is called. */
  lend(scene: string, signal?: AbortSignal): Promise<() => void>
  /** Removes what is on disk for the time being. */
  close(): void
}

/** Where VSI-Bench is published. */
const published = { kind: 'dataset', repo: 'nyu-visionx/VSI-Bench', revision: 'main' } as const

const pictures = /\.(png|jpe?g|webp)$/i

/**
 * The video of every scene, before anything is computed. `from` is a folder, a zip archive or `hf://datasets/…`; left out, it
 * is what the Hub's cache holds of VSI-Bench. Of a folder's pictures `frames` are taken, evenly spaced; all of them where there
 * are fewer. Throws an InputError that names scenes, a question and where was looked.
 */
export async function findVideos(
  questions: readonly Scene[],
  from: string | undefined,
  frames: number,
): Promise<Videos> {
  const scenes = [
    ...new Map(questions.toReversed().map((question) => [sceneOf(question), question])).values(),
  ].reverse()
  const { dir, archives, name } = await placesOf(scenes, from)
  const paths = new Map<string, Video>()
  for (const scene of scenes) {
    const video = dir && videoIn(dir, scene, frames)
    if (video !== undefined) paths.set(sceneOf(scene), video)
  }
  const open = scenes.filter((scene) => !paths.has(sceneOf(scene)))
  const zipped = await ZippedVideos.find(open, open.length > 0 ? archives : [])
  const missing = open.filter((scene) => !zipped.paths.has(sceneOf(scene)))
  const [first] = missing
  if (first === undefined) return { ...lender(zipped), paths: new Map([...paths, ...zipped.paths]) }
  zipped.close()
  throw new InputError(
    `${name}: expected a video for each of ${scenes.length} scenes, got none for ${missing.length}: ${listed(missing.map(sceneOf))}; question ${first.id} needs ${first.dataset}/${first.scene_name}.mp4 (there or in a zip archive), or a folder ${first.scene_name} of frames`,
  )
}

function lender(zipped: ZippedVideos): Pick<Videos, 'lend' | 'close'> {
  return { lend: (scene, signal) => zipped.lend(scene, signal), close: () => zipped.close() }
}

interface Places {
  readonly dir?: string
  readonly archives: readonly string[]
  /** For errors. */
  readonly name: string
}

async function placesOf(scenes: readonly Scene[], from: string | undefined): Promise<Places> {
  if (from === undefined) return inCache()
  const name = `--videos ${from}`
  const remote = parseHubPath(from)
  if (remote !== undefined) {
    const { file, ...repo } = remote
    const files = file === undefined ? [...new Set(scenes.map(({ dataset }) => `${dataset}.zip`))] : [file]
    const archives: string[] = []
    for (const one of files) archives.push(await hubFile({ ...repo, file: one }))
    return { archives, name }
  }
  const kind = kindOf(from)
  if (kind === 'folder') return { dir: from, archives: archivesIn(from), name }
  if (kind === 'file' && extname(from) === '.zip') return { archives: [from], name }
  throw new InputError(`${name}: expected a folder or a zip archive, got ${kind ?? 'nothing'} of that name`)
}

function inCache(): Places {
  const dir = cachedSnapshot(published)
  if (dir !== undefined) return { dir, archives: archivesIn(dir), name: `the Hub's cache ${dir}` }
  throw new InputError(
    `--videos is missing: the folder of the videos that the questions are about, or hf://datasets/${published.repo} to fetch the published ones`,
  )
}

function archivesIn(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => extname(name) === '.zip')
    .sort()
    .map((name) => join(dir, name))
}

function videoIn(dir: string, scene: Scene, frames: number): Video | undefined {
  const names = [sceneOf(scene), scene.scene_name]
  const places = ['', 'videos', 'frames'].flatMap((below) => names.map((name) => join(dir, below, name)))
  for (const place of places) {
    const file = movieEndings.map((ending) => `${place}${ending}`).find((path) => kindOf(path) === 'file')
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
  if (!existsSync(path)) return undefined
  return statSync(path).isDirectory() ? 'folder' : 'file'
}
