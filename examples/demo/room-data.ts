/** Rooms as a dataset that stays in memory: rows for the trainers, rendered frames for the processor. */
import type { Encode, Example, Prompt } from 'vsgrpo'
import { type Dataset, fromArray, type Room, type RoomExample, type RoomSet, roomExamples } from 'vsgrpo/data'

export interface RoomData {
  readonly dataset: Dataset
  readonly rows: readonly RoomExample[]
  /** Renders a row's room, through the processor, as a video; once per row. */
  readonly encode: Encode
  readonly frames: (name: string) => Uint8Array
  readonly shape: { readonly frames: number; readonly height: number; readonly width: number }
  /** Whether a row is about one of these rooms. */
  readonly has: (example: Example) => boolean
}

/** `look` changes the frames before the model sees them (grey, for the control). */
export function roomData(set: RoomSet, look: (frames: Uint8Array) => Uint8Array = (frames) => frames): RoomData {
  const rooms = new Map<string, Room>(set.rooms.map((room) => [room.name, room]))
  const rows = set.rooms.flatMap((room) => roomExamples(set, room, room.name))
  const prompts = new Map<Example['id'], Promise<Prompt>>()
  const { frames: count, height, width } = set.recipe.camera
  const frames = (name: string) => {
    const room = rooms.get(name)
    if (!room) throw new RangeError(`no room ${name}`)
    return look(room.frames())
  }
  return {
    dataset: fromArray(rows),
    rows,
    frames,
    shape: { frames: count, height, width },
    has: ({ scene_name: name }) => rooms.has(String(name)),
    encode: (example, processor) => {
      const known = prompts.get(example.id)
      if (known) return known
      const rgb = frames(String(example.scene_name))
      const prompt = processor.prompt(example.messages, { frames: [{ rgb, frames: count, height, width }] })
      prompts.set(example.id, prompt)
      return prompt
    },
  }
}
