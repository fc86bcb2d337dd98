/** Scene records in the unified form. */
import { join } from 'node:path'
import { readScenes } from '../../../../src/data/scenes/read.js'
import { type DamagedInput, put, type SoundInputs } from './kinds.js'

const box = {
  centroid: [1, 2, 3],
  axesLengths: [1, 1, 1],
  normalizedAxes: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  min: [0.5, 1.5, 2.5],
  max: [1.5, 2.5, 3.5],
}
const scene = {
  dataset: 'home',
  video_path: 'a.mp4',
  room_size: 20.5,
  room_center: [1, 2, 3],
  object_counts: { chair: 1 },
  object_bbox: { chair: [box] },
}
const text = JSON.stringify(scene)
const whole = JSON.stringify({ kitchen: scene })
const withBox = (change: object): object => ({ ...scene, object_bbox: { chair: [box, { ...box, ...change }] } })

const read = (content: string | Buffer) => (dir: string) => readScenes([put(dir, 'meta.json', content)])

/** A record with something wrong in one of its fields. */
function field(name: string, value: object, message: string): DamagedInput {
  const start = "meta.json: scene 'kitchen': "
  return { name, read: read(JSON.stringify({ kitchen: value })), message: `${start}${message}` }
}

/** A file that is wrong as a file. */
function file(name: string, content: string | Buffer, message: RegExp | string): DamagedInput {
  return { name, read: read(content), message }
}

export const soundRecords: SoundInputs = {
  'scene records': read(whole),
  'scene records with a byte order mark': read(`\uFEFF${whole}`),
  'scene records without counts, axis-aligned boxes and names': read(
    JSON.stringify({
      kitchen: { room_size: 9, object_bboxes: { chair: [{ ...box, min: undefined, max: undefined }] } },
    }),
  ),
}

export const damagedRecords: readonly DamagedInput[] = [
  file(
    'a list of records',
    JSON.stringify([scene]),
    'meta.json: expected scene records { "<scene>": { "room_size": …, … } }, got [{"dataset":"home","video_path":"a.mp4","room_size":20.5,"ro…',
  ),
  file('no record', '{}', 'meta.json: expected at least one scene, got {}'),
  field(
    'a record without room size',
    { ...scene, room_size: null },
    'room_size: expected an area in square metres above 0, got null',
  ),
  field('an empty room', { ...scene, room_size: 0 }, 'room_size: expected an area in square metres above 0, got 0'),
  field(
    'a record without boxes',
    { ...scene, object_bbox: undefined },
    'object_bbox: expected an object with a field per category, got nothing',
  ),
  field(
    'half a count',
    { ...scene, object_counts: { chair: 1.5 } },
    'object_counts.chair: expected an integer of at least 0, got 1.5',
  ),
  field(
    'boxes that are no list',
    { ...scene, object_bbox: { chair: box } },
    'object_bbox.chair: expected a list of boxes, got {',
  ),
  field(
    'a flat centre',
    withBox({ centroid: [1, 2] }),
    'object_bbox.chair[1].centroid: expected a list of 3 numbers, got [1,2]',
  ),
  field(
    'a centre in words',
    withBox({ centroid: [1, '2', 3] }),
    'object_bbox.chair[1].centroid[1]: expected a finite number, got "2"',
  ),
  field(
    'a box without size',
    withBox({ axesLengths: [1, 0, 1] }),
    'object_bbox.chair[1].axesLengths: expected three lengths above 0 (metres), got [1,0,1]',
  ),
  field(
    'a box turned inside out',
    withBox({ axesLengths: [1, -2, 1] }),
    'object_bbox.chair[1].axesLengths: expected three lengths above 0 (metres), got [1,-2,1]',
  ),
  field(
    'crooked axes',
    withBox({ normalizedAxes: [1, 0, 0, 1, 1, 0, 0, 0, 1] }),
    'object_bbox.chair[1].normalizedAxes: expected three unit axes at right angles',
  ),
  field(
    'two axes',
    withBox({ normalizedAxes: [1, 0, 0, 0, 1, 0] }),
    'object_bbox.chair[1].normalizedAxes: expected a list of 9 numbers, got [1,0,0,0,1,0]',
  ),
  field(
    'a time before the film',
    { ...scene, first_seen: { chair: -1 } },
    'first_seen.chair: expected a finite number of at least 0, got -1',
  ),
  file(
    'NaN in a box, as Python writes it',
    whole.replace('[1,2,3],"axes', '[1,NaN,3],"axes'),
    /^meta.json: kitchen.object_bbox.chair\[0\].centroid\[1\]: NaN is no JSON; write a number/,
  ),
  file(
    'an infinite box, as JSON can write it',
    whole.replace('[1,2,3],"axes', '[1,1e999,3],"axes'),
    "meta.json: scene 'kitchen': object_bbox.chair[0].centroid[1]: expected a finite number, got Infinity",
  ),
  file(
    'a scene that is there twice, of which JSON.parse would keep the last',
    `{"kitchen": ${text}, "bath": ${text}, "kitchen": ${text}}`,
    'meta.json: the key "kitchen" is there twice; keep one',
  ),
  file(
    'a field that is there twice',
    `{"kitchen": ${text.replace('"room_size"', '"dataset":"b","room_size"')}}`,
    'meta.json: kitchen: the key "dataset" is there twice; keep one',
  ),
  {
    name: 'a scene that is in two files',
    read: (dir) => readScenes([put(dir, 'meta.json', whole), put(dir, 'other.json', whole)]),
    message: "other.json: scene 'kitchen' is in meta.json already; keep one",
  },
  file(
    'records in UTF-16',
    Buffer.from(`\uFEFF${whole}`, 'utf16le'),
    'meta.json: expected UTF-8 text, got UTF-16; save it again as UTF-8',
  ),
  file('records in UTF-16 without its mark', Buffer.from(whole, 'utf16le'), /^meta.json: .* got UTF-16/),
  file('records in Latin-1', Buffer.from('{"küche": 1}', 'latin1'), /^meta.json: expected UTF-8 text/),
  file('records that are empty', '', 'meta.json: the file is empty'),
  file('records cut off', whole.slice(0, 180), /^meta.json: kitchen.*: the text ends here; the file is cut off/),
  {
    name: 'records that are not there',
    read: (dir) => readScenes([join(dir, 'none.json')]),
    message: /^cannot read none.json: .*no such file/,
  },
]
