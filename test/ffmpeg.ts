/** A real ffmpeg for tests: the one that VSGRPO_FFMPEG names, else the one that npm brings. */
import { spawnSync } from 'node:child_process'
import installed from '@ffmpeg-installer/ffmpeg'

export const ffmpeg = process.env.VSGRPO_FFMPEG || installed.path

/** Makes a film of pictures, given as ffmpeg's pattern; lossless, so that its frames are the pictures again. */
export function film(pictures: string, file: string): void {
  const args = ['-v', 'error', '-y', '-framerate', '30', '-i', pictures]
  const coding = ['-c:v', 'libx264rgb', '-qp', '0', '-pix_fmt', 'rgb24', file]
  const { status, stderr } = spawnSync(ffmpeg, [...args, ...coding], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ffmpeg: ${stderr}`)
}
