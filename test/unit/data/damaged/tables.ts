/** Rows to train on: JSON Lines, JSON arrays, parquet, folders. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openDataset } from '../../../../src/data/stream-files.js'
import files from '../parquet-files.json' with { type: 'json' }
import { type DamagedInput, lines, put, type SoundInputs } from './kinds.js'

const good = { prompt: 'How many?', answer: 2 }
const parquet = Buffer.from(files.base64['questions-snappy'], 'base64')
const images = Buffer.from(files.base64.images, 'base64')

const open = (name: string, content: string | Buffer) => (dir: string) => openDataset(put(dir, name, content))

function row(name: string, value: unknown, message: string): DamagedInput {
  return {
    name: `a row with ${name}`,
    read: open('rows.jsonl', lines([good, value])),
    message: `rows.jsonl:2: ${message}`,
  }
}

function table(name: string, content: string | Buffer, message: RegExp): DamagedInput {
  return { name, read: open('rows.parquet', content), message }
}

export const soundTables: SoundInputs = {
  'JSON Lines': open('rows.jsonl', lines([good])),
  'a JSON array': open('rows.json', JSON.stringify([good])),
}

export const damagedTables: readonly DamagedInput[] = [
  row('a text for a row', '"a"', 'row: expected a JSON object, got "a"'),
  row('an unknown role', { messages: [{ role: 'bot', content: 'a' }] }, 'messages[0].role: expected "system", "user"'),
  row(
    'more placeholders than images',
    { messages: [{ role: 'user', content: [{ type: 'image' }, { type: 'image' }] }], images: ['a.png'] },
    'messages[0].content[1]: more image placeholders than images',
  ),
  row(
    'more images than placeholders',
    { messages: [{ role: 'user', content: [{ type: 'image' }] }], images: ['a.png', 'b.png'] },
    'expected as many {"type": "image"} placeholders as images, got 1 for 2',
  ),
  row('an answer in a list', { ...good, answer: [2] }, 'answer: expected a string or a number, got [2]'),
  row('equal chosen and rejected', pair('A', 'A'), 'rejected: expected an answer that differs from chosen'),
  row('half a line', '{"prompt":', 'not a JSON object: '),
  {
    name: 'rows in UTF-16',
    read: open('rows.jsonl', Buffer.from(`\uFEFF${lines([good])}`, 'utf16le')),
    message: 'rows.jsonl: expected UTF-8 text, got UTF-16; convert it with iconv -f UTF-16 -t UTF-8',
  },
  {
    name: 'rows in a zip archive',
    read: open('rows.jsonl', Buffer.from('PK\x03\x04....')),
    message: 'rows.jsonl: expected UTF-8 text, got a zip archive; unpack it',
  },
  {
    name: 'no row',
    read: open('rows.jsonl', '\n'),
    message: 'rows.jsonl: expected at least one row, got an empty file',
  },
  {
    name: 'a JSON array cut off',
    read: open('rows.json', '[{"prompt": "a"},'),
    message: /^rows.json: not valid JSON: .*; write one array of objects/,
  },
  {
    name: 'a bad element of a JSON array',
    read: open('rows.json', JSON.stringify([good, { image: 'a.png' }])),
    message: 'rows.json[1]: messages: expected a list of messages',
  },
  table('parquet that is empty', '', /^rows.parquet: expected a whole parquet file: .*; fetch it again/),
  table('parquet cut off', parquet.subarray(0, parquet.length / 2), /^rows.parquet: expected a whole parquet file/),
  table('parquet that is text', lines([good, good, good]), /^rows.parquet: expected a whole parquet file/),
  table('parquet with damaged pages', damagedPages(), /^rows.parquet: row group 1 of 2: expected a whole parquet file/),
  table('parquet with rows of another kind', parquet, /^rows.parquet row 1: messages: expected/),
  table('parquet with images and no place for them', images, /^rows.parquet row 1: image: .* say where .*: mediaDir/),
  {
    name: 'a data file that is not there',
    read: (dir) => openDataset(join(dir, 'none.jsonl')),
    message: /^cannot read none.jsonl: .*no such file.*; give the path of a data file/,
  },
  {
    name: 'a folder without data files',
    read: (dir) => {
      mkdirSync(join(dir, 'rows'))
      return openDataset(join(dir, 'rows'))
    },
    message: 'rows: expected data files (.jsonl, .parquet), got none',
  },
]

function pair(chosen: string, rejected: string): object {
  const talk = (content: string) => [
    { role: 'user', content: 'Which?' },
    { role: 'assistant', content },
  ]
  return { chosen: talk(chosen), rejected: talk(rejected) }
}

function damagedPages(): Buffer {
  return Buffer.from(files.base64['questions-gzip'], 'base64').fill(0x55, 4, 200)
}
