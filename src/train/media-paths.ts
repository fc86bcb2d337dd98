/** Which media a prompt shows: rows with equal paths share their encoding. */
import type { Message } from '../types.js'

/** Paths of all media that messages show, in order. */
export function mediaPaths(messages: readonly Message[]): string[] {
  return messages.flatMap(({ content }) => {
    if (typeof content === 'string') return []
    return content.flatMap((part) => {
      if (part.type === 'text') return []
      if (part.type === 'image') return [part.image]
      return typeof part.video === 'string' ? [part.video] : [...part.video]
    })
  })
}
