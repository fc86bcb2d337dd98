/**
 * Videos in zip archives. ffmpeg reads files, so a video is unpacked when its scene's turn comes and removed after it: one at a
 * time is on the disk. Its decoded frames are what is kept, by their content, in the processor's cache.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, extname, join } from 'node:path'
import { ZipArchive } from '../data/zip.js'
import { movieEndings, type Scene, sceneOf } from './scenes.js'

interface Packed {
  readonly archive: ZipArchive
  /** The file's path in the archive. */
  readonly entry: string
  /** Where it is unpacked to. */
  readonly path: string
}

export class ZippedVideos {
  private constructor(
    /** Absent where there are no archives. */
    private readonly dir: string | undefined,
    private readonly archives: readonly ZipArchive[],
    private readonly packed: ReadonlyMap<string, Packed>,
  ) {}

  /** Looks for the scenes in the archives, the first that has one counts. Throws an InputError for a damaged archive. */
  static async find(scenes: readonly Scene[], paths: readonly string[]): Promise<ZippedVideos> {
    if (paths.length === 0) return new ZippedVideos(undefined, [], new Map())
    const archives: ZipArchive[] = []
    const dir = mkdtempSync(join(tmpdir(), 'vsgrpo-videos-'))
    try {
      for (const path of paths) archives.push(await ZipArchive.open(path))
      return new ZippedVideos(dir, archives, locate(scenes, archives, dir))
    } catch (error) {
      release(dir, archives)
      throw error
    }
  }

  /** The paths at which videos are while they are lent. */
  get paths(): ReadonlyMap<string, string> {
    return new Map([...this.packed].map(([scene, { path }]) => [scene, path]))
  }

  /** Unpacks the scene's video, where it is in an archive; the returned function removes it. */
  async lend(scene: string, signal?: AbortSignal): Promise<() => void> {
    const found = this.packed.get(scene)
    if (found === undefined) return () => undefined
    const { archive, entry, path } = found
    await archive.extract(entry, path, signal)
    return () => rmSync(path, { force: true })
  }

  close(): void {
    release(this.dir, this.archives)
  }
}

function release(dir: string | undefined, archives: readonly ZipArchive[]): void {
  for (const archive of archives) archive.close()
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true })
}

function locate(scenes: readonly Scene[], archives: readonly ZipArchive[], dir: string): Map<string, Packed> {
  const known = archives.flatMap((archive) => [...namesOf(archive)].map(([name, entry]) => ({ name, archive, entry })))
  const byName = new Map(known.reverse().map((one) => [one.name, one]))
  return new Map(
    scenes.flatMap((scene, i): [string, Packed][] => {
      const found = byName.get(sceneOf(scene)) ?? byName.get(scene.scene_name)
      if (found === undefined) return []
      const { archive, entry } = found
      return [[sceneOf(scene), { archive, entry, path: join(dir, `${i}${extname(entry)}`) }]]
    }),
  )
}

/** Files of videos by `<folder>/<name>` and, for those in no folder of a data set, by `<name>`; both without ending. */
function namesOf({ names }: ZipArchive): Map<string, string> {
  const found = new Map<string, string>()
  for (const entry of names) {
    if (!movieEndings.includes(extname(entry).toLowerCase())) continue
    const parts = entry.slice(0, -extname(entry).length).split('/')
    found.set(parts.slice(-2).join('/'), entry)
    if (parts.length < 2 || parts.at(-2) === 'videos') found.set(basename(parts.at(-1) ?? ''), entry)
  }
  return found
}
