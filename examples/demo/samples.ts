/** Some test questions with their frames as PNG files and what each model said: samples.json for the report. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodePng } from 'vsgrpo/data'
import type { Evaluation } from './evaluate.js'
import type { RoomData } from './room-data.js'

const count = 12

export async function writeSamples(
  output: string,
  data: RoomData,
  by: { base: Evaluation; trained: Evaluation },
): Promise<void> {
  const stride = Math.max(1, Math.floor(data.rows.length / count))
  const samples = data.rows.flatMap((row, i) => {
    // One question per shown room, the kinds in turn.
    if (i % stride !== Math.floor(i / stride) % 3) return []
    const said = (who: Evaluation) => {
      const completion = who.completions[i] ?? ''
      return { completion, reward: completion === row.answer ? 1 : 0 }
    }
    const frames = writeFrames(output, row.scene_name, data)
    const { question, answer, question_type: task } = row
    return [{ frames, question, answer, task, base: said(by.base), trained: said(by.trained) }]
  })
  writeFileSync(join(output, 'samples.json'), `${JSON.stringify(samples, null, 2)}\n`)
}

/** Paths relative to `output`. */
function writeFrames(output: string, room: string, data: RoomData): string[] {
  const { frames, height, width } = data.shape
  const rgb = data.frames(room)
  const folder = join('samples', room)
  mkdirSync(join(output, folder), { recursive: true })
  return Array.from({ length: frames }, (_, f) => {
    const file = join(folder, `${String(f).padStart(3, '0')}.png`)
    const bytes = height * width * 3
    writeFileSync(join(output, file), encodePng(rgb.subarray(f * bytes, (f + 1) * bytes), width, height))
    return file
  })
}
