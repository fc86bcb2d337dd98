/** Rows of other projects become examples; what cannot is told by place and column. */
import { describe, expect, it } from 'vitest'
import { adaptRow, detectForm, type RowForm } from '../../../src/data/adapters.js'
import { parseRow } from '../../../src/data/row.js'

const context = { where: 'rows.jsonl:3', mediaRoot: '/data' }
const read = (value: unknown, form?: RowForm) => parseRow(adaptRow(value, { ...context, form }), context)
const user = (...content: unknown[]) => [{ role: 'user', content }]
const text = (value: string) => ({ type: 'text', text: value })

describe('TRL', () => {
  it('puts the files of the media columns before the text, images first', () => {
    const example = read({ prompt: 'Which?', images: ['a.png'], videos: ['b.mp4'], solution: '4' })
    expect(example.messages).toEqual(
      user({ type: 'image', image: '/data/a.png' }, { type: 'video', video: '/data/b.mp4' }, text('Which?')),
    )
    expect(example).toMatchObject({ solution: '4', answer: '4' })
  })
  it('keeps placeholders where the prompt has them, and a conversation’s other turns', () => {
    const prompt = [{ role: 'system', content: 'Be brief.' }, ...user(text('Look:'), { type: 'image' }, text('Which?'))]
    const { messages } = read({ prompt, image: 'a.png', completion: [{ role: 'assistant', content: 'B' }] })
    expect(messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      ...user(text('Look:'), { type: 'image', image: '/data/a.png' }, text('Which?')),
    ])
  })
  it('takes the answer out of the solution’s tag, and leaves a given answer', () => {
    expect(read({ prompt: 'a', solution: '<answer> 3 </answer>' })).toMatchObject({ answer: '3' })
    expect(read({ prompt: 'a', solution: 'x', answer: 'y' })).toMatchObject({ answer: 'y' })
    expect(read({ prompt: 'a' }).answer).toBeUndefined()
  })
  it('finds the prompt that chosen and rejected begin with', () => {
    const chosen = [...user(text('Which?')), { role: 'assistant', content: 'A' }]
    const rejected = [...user(text('Which?')), { role: 'assistant', content: 'B' }]
    expect(read({ chosen, rejected })).toEqual({
      messages: user(text('Which?')),
      chosen: [{ role: 'assistant', content: 'A' }],
      rejected: [{ role: 'assistant', content: 'B' }],
    })
    const explicit = read({ prompt: 'Which?', chosen: 'A', rejected: 'B' })
    expect(explicit).toMatchObject({ chosen: 'A', rejected: 'B' })
  })
})

describe('R1-V and Video-R1', () => {
  it('reads problem, image and solution', () => {
    const image = { path: 'a.png', bytes: null }
    expect(read({ image, problem: 'How many?', solution: '<answer> 3 </answer>' })).toMatchObject({
      messages: user({ type: 'image', image: '/data/a.png' }, text('How many?')),
      answer: '3',
    })
  })
  it('reads data_type, path and options', () => {
    const row = { problem_id: 1, problem: 'Which?', data_type: 'video', path: './v.mp4', options: ['A. x', 'B. y'] }
    expect(read({ ...row, solution: '<answer>B</answer>' })).toMatchObject({
      messages: user({ type: 'video', video: '/data/v.mp4' }, text('Which?\nOptions:\nA. x\nB. y')),
      answer: 'B',
      options: ['A. x', 'B. y'],
      problem_id: 1,
    })
  })
})

describe('a row of a table', () => {
  it('has nulls in the columns that it does not use', () => {
    const unused = { messages: null, conversations: null, completion: null, videos: null, answer: null, id: null }
    expect(read({ ...unused, prompt: 'a', image: { path: 'a.png' }, note: null })).toEqual({
      messages: user({ type: 'image', image: '/data/a.png' }, text('a')),
      image: 'a.png',
      note: null,
    })
  })
})

describe('LLaVA', () => {
  it('puts media where the tags stand, and keeps the last answer as the completion', () => {
    const conversations = [
      { from: 'system', value: 'Be brief.' },
      { from: 'human', value: '<image>\nWhat is this?' },
      { from: 'gpt', value: 'A room.' },
      { from: 'human', value: 'And in\n<video>\nthis?' },
      { from: 'gpt', value: 'A hall.' },
    ]
    expect(read({ id: 'x', image: 'a.png', video: 'b.mp4', conversations })).toMatchObject({
      id: 'x',
      completion: 'A hall.',
      messages: [
        { role: 'system', content: 'Be brief.' },
        ...user({ type: 'image', image: '/data/a.png' }, text('What is this?')),
        { role: 'assistant', content: 'A room.' },
        ...user(text('And in'), { type: 'video', video: '/data/b.mp4' }, text('this?')),
      ],
    })
  })
  it('puts media first where no tag stands for them', () => {
    const conversations = [{ from: 'human', value: 'What?' }]
    expect(read({ image: ['a.png', 'b.png'], conversations }).messages[0]?.content).toHaveLength(3)
  })
})

describe('a row that cannot be used', () => {
  const nested = (depth: number): unknown => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`)
  it.each<[unknown, string, RowForm?]>([
    [5, 'rows.jsonl:3: row: expected a JSON object, got 5'],
    [{ text: 'a', label: 1 }, 'rows.jsonl:3: messages: expected a list of messages, or the columns prompt'],
    [{}, 'got no columns'],
    [{ prompt: 5 }, 'rows.jsonl:3: prompt: expected a text or a list of messages, got 5'],
    [{ problem: 5, solution: 'a' }, 'rows.jsonl:3: problem: expected a text, got 5'],
    [{ problem: 'a', path: 'b', data_type: 'audio' }, 'data_type: expected "image" or "video", got "audio"'],
    [{ problem: 'a', path: 5, data_type: 'image' }, 'path: expected a file path, got 5'],
    [{ conversations: [] }, 'conversations: expected a list of { "from", "value" }, got []'],
    [{ conversations: [{ from: 'bot', value: 'a' }] }, 'conversations[0].from: expected "human", "gpt" or "system"'],
    [{ conversations: [{ from: 'human', value: 5 }] }, 'conversations[0].value: expected a text, got 5'],
    [{ conversations: [{ from: 'human', value: '<image>' }] }, 'more image placeholders than images'],
    [{ chosen: 'a', rejected: 'b' }, 'prompt: expected a prompt, or chosen and rejected as lists of messages'],
    [{ chosen: [{ role: 'user' }], rejected: [{ role: 'system' }] }, 'chosen: expected a beginning in common'],
    [{ chosen: [1], rejected: [1] }, 'rejected: expected an answer that differs from chosen'],
    [{ chosen: [nested(9e4)], rejected: [nested(9e4)] }, 'row: expected an object of reasonable depth'],
    [{ messages: user(text('a')) }, 'conversations: expected', 'llava'],
  ])('is told by place and column: %#', (value, message, form) => {
    expect(() => read(value, form)).toThrow(message)
  })
  it('is of the form that its columns tell', () => {
    const rows = [{ messages: [] }, { conversations: [] }, { problem: '' }, { prompt: '' }]
    expect(rows.map((row) => detectForm(row, context))).toEqual(['messages', 'llava', 'r1-v', 'trl'])
  })
})
