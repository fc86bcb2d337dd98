/** Images of a run as data URIs, so that the report is one file. Large ones are made smaller; missing ones are counted. */
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import sharp from 'sharp'

/** Files up to this many bytes are taken as they are. */
const smallBytes = 24_000
const largestSide = 320

export interface Frame {
  readonly uri: string
  readonly width: number
}

/** The image as a frame, or undefined when the file is missing or is no image (a video, say). */
export async function loadFrame(dir: string, file: string): Promise<Frame | undefined> {
  const path = [resolve(dir, file), resolve(file)].find(existsSync)
  if (!path) return undefined
  try {
    const bytes = readFileSync(path)
    const { width, format } = await sharp(bytes).metadata()
    const keep = bytes.length <= smallBytes && (format === 'png' || format === 'jpeg' || format === 'webp')
    if (keep) return { uri: `data:image/${format};base64,${bytes.toString('base64')}`, width: width ?? 0 }
    const { data, info } = await sharp(bytes)
      .resize(largestSide, largestSide, { fit: 'inside', withoutEnlargement: true })
      .png({ palette: true })
      .toBuffer({ resolveWithObject: true })
    return { uri: `data:image/png;base64,${data.toString('base64')}`, width: info.width }
  } catch {
    // An unreadable frame must not cost the whole report; the caption counts it.
    return undefined
  }
}
