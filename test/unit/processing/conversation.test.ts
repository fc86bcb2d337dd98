import { describe, expect, it } from 'vitest'
import { mediaSources } from '../../../src/processing/conversation.js'
import type { Message } from '../../../src/types.js'

const user = (...content: unknown[]): Message[] => JSON.parse(JSON.stringify([{ role: 'user', content }]))
const pixels = { rgb: new Uint8Array(3), frames: 1, height: 1, width: 1 }

describe('mediaSources', () => {
  it('finds images, video files and frame lists in order, relative to the folder', () => {
    const messages = user(
      { type: 'image', image: 'a.png' },
      { type: 'text', text: 'x' },
      { type: 'video', video: ['0.png', '/abs/1.png'] },
      { type: 'video', video: 'file:///v.mp4' },
    )
    expect(mediaSources(messages, { baseDir: '/data' })).toEqual([
      { kind: 'image', file: '/data/a.png' },
      { kind: 'video', files: ['/data/0.png', '/abs/1.png'] },
      { kind: 'video', file: '/v.mp4' },
    ])
  })

  it('takes pixels instead of paths, as many as there are parts', () => {
    const messages = user({ type: 'video', video: '' }, { type: 'image', image: '' })
    expect(mediaSources(messages, { frames: [pixels, pixels] })).toEqual([
      { kind: 'video', pixels },
      { kind: 'image', pixels },
    ])
    expect(() => mediaSources(messages, { frames: [pixels] })).toThrow('messages[0].content[1]: no frames were given')
    expect(() => mediaSources(messages, { frames: [pixels, pixels, pixels] })).toThrow('3 frames for 2 image and video')
  })

  it.each([
    [
      user({ type: 'vidoe', video: 'v.mp4' }),
      'messages[0].content[0].type: expected one of text, image, video, got "vidoe"; did you mean video?',
    ],
    [user({ type: 'text' }), /content\[0\]: a text part needs/],
    [user({ type: 'image', image: ['a.png'] }), /an? image part needs a path in 'image'/],
    [user({ type: 'video', video: [] }), /a video part needs a path or a list of frame paths/],
    [user({ type: 'image', image: 'https://example.org/a.png' }), /is not a file on disk/],
    [user('text'), /content\[0\]: expected a part/],
    [
      JSON.parse('[{ "role": "tool", "content": "x" }]'),
      /messages\[0\].role: expected one of system, user, assistant, got "tool"$/,
    ],
    [JSON.parse('[{ "role": "user" }]'), /messages\[0\].content: expected a text or a list/],
    [JSON.parse('[]'), /non-empty list/],
    [JSON.parse('{}'), /non-empty list/],
  ])('names the message and part that is wrong: %#', (messages, expected) => {
    expect(() => mediaSources(messages)).toThrow(expected)
  })
})
