/** Rooms as rows of a mode, and their frames as prompts. Frames are drawn once and kept; encoded prompts are not. */
import type { Encode, Example } from 'vsgrpo'
import { type Dataset, fromArray, grey, type Room, type RoomExample, type RoomSet, roomExamples } from 'vsgrpo/data'
import { type Mode, promptText } from './modes.js'

/** A row holds its answer once more under `number` or `word`, so that each reward applies to its own rows. */
export interface StudyRow extends RoomExample {
  readonly number?: string
  readonly word?: string
}

export interface RoomRows {
  readonly rows: readonly StudyRow[]
  readonly dataset: Dataset
  readonly encode: Encode
}

/** `show: 'grey'` makes every frame flat grey: for the control that cannot see. */
export function roomRows(set: RoomSet, mode: Mode, show: 'frames' | 'grey' = 'frames'): RoomRows {
  return withFrames(
    set,
    set.rooms.flatMap((room) => roomExamples(set, room, room.name).map((row) => asRow(row, mode))),
    show,
  )
}

/** Rows of any kind about the rooms of a set. */
export function withFrames(set: RoomSet, rows: readonly StudyRow[], show: 'frames' | 'grey' = 'frames'): RoomRows {
  const rooms = new Map(set.rooms.map((room) => [room.name, room]))
  const drawn = new Map<string, Uint8Array>()
  const framesOf = (room: Room): Uint8Array => {
    const rgb = drawn.get(room.name) ?? (show === 'grey' ? grey(room.frames()) : room.frames())
    drawn.set(room.name, rgb)
    return rgb
  }
  const { frames, height, width } = set.recipe.camera
  return {
    rows,
    dataset: fromArray(rows),
    encode: (example: Example, processor) => {
      const room = rooms.get(String(example.scene_name))
      if (!room) throw new RangeError(`no room ${String(example.scene_name)}`)
      return processor.prompt(example.messages, { frames: [{ rgb: framesOf(room), frames, height, width }] })
    },
  }
}

/** The row with the mode's prompt. */
export function asRow(row: RoomExample, mode: Mode): StudyRow {
  const content = [
    { type: 'video', video: row.scene_name },
    { type: 'text', text: promptText(row, mode) },
  ] as const
  const answer = /^\d/.test(row.answer) ? { number: row.answer } : { word: row.answer }
  return { ...row, ...answer, messages: [{ role: 'user', content }] }
}

/** Rows of one room come together: its film is encoded once for all of them. */
export function mediaKey(example: Example): string {
  return String(example.scene_name)
}
