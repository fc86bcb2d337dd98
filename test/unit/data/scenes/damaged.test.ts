// What goes wrong with scene records and scans in practice: every error names the file, the scene or line, and the field.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readScenes } from '../../../../src/data/scenes/read.js'
import { InputError } from '../../../../src/errors.js'
import { labelTable, writeScan } from './scan-fixture.js'

const dir = mkdtempSync(join(tmpdir(), 'damaged-'))
const file = join(dir, 'meta.json')
const labels = join(dir, 'labels.tsv')

/** The one line that reading these paths fails with, without the folder. */
function complaint(paths: readonly string[] = [file]): string {
  try {
    readScenes(paths, { labels })
  } catch (error) {
    expect(error).toBeInstanceOf(InputError)
    return error instanceof Error ? error.message.replaceAll(`${dir}/`, '') : ''
  }
  return 'no error'
}

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

describe('damaged scene records', () => {
  it('are not these', () => {
    writeFileSync(file, JSON.stringify({ kitchen: scene }))
    expect(complaint()).toBe('no error')
  })

  const withBox = (change: object): object => ({ ...scene, object_bbox: { chair: [box, { ...box, ...change }] } })
  it.each<[string, unknown, string]>([
    [
      'a list',
      [scene],
      'meta.json: expected scene records { "<scene>": { "room_size": …, … } }, got [{"dataset":"home","video_path":"a.mp4","room_size":20.5,"ro…',
    ],
    ['no scene', {}, 'meta.json: expected at least one scene, got {}'],
    [
      'no room size',
      { ...scene, room_size: null },
      "scene 'kitchen': room_size: expected a finite number of at least 0, got null",
    ],
    ['an empty room', { ...scene, room_size: 0 }, 'room_size: expected an area in square metres above 0, got 0'],
    [
      'no boxes',
      { ...scene, object_bbox: undefined },
      "scene 'kitchen': object_bbox: expected an object with a field per category, got nothing",
    ],
    [
      'half a count',
      { ...scene, object_counts: { chair: 1.5 } },
      'object_counts.chair: expected a whole number of at least 0, got 1.5',
    ],
    [
      'boxes that are no list',
      { ...scene, object_bbox: { chair: box } },
      'object_bbox.chair: expected a list of boxes, got {',
    ],
    [
      'a flat centre',
      withBox({ centroid: [1, 2] }),
      'object_bbox.chair[1].centroid: expected a list of 3 numbers, got [1,2]',
    ],
    [
      'a centre in words',
      withBox({ centroid: [1, '2', 3] }),
      'object_bbox.chair[1].centroid[1]: expected a finite number, got "2"',
    ],
    [
      'a box without size',
      withBox({ axesLengths: [1, 0, 1] }),
      'object_bbox.chair[1].axesLengths: expected three lengths above 0 (metres), got [1,0,1]',
    ],
    [
      'crooked axes',
      withBox({ normalizedAxes: [1, 0, 0, 1, 1, 0, 0, 0, 1] }),
      'object_bbox.chair[1].normalizedAxes: expected three unit axes at right angles',
    ],
    [
      'two axes',
      withBox({ normalizedAxes: [1, 0, 0, 0, 1, 0] }),
      'object_bbox.chair[1].normalizedAxes: expected a list of 9 numbers',
    ],
    [
      'a time before the film',
      { ...scene, first_seen: { chair: -1 } },
      'first_seen.chair: expected a finite number of at least 0, got -1',
    ],
  ])('with %s', (name, value, expected) => {
    const whole = name === 'a list' || name === 'no scene' ? value : { kitchen: value }
    writeFileSync(file, JSON.stringify(whole))
    expect(complaint()).toContain(expected)
    expect(complaint()).toMatch(/^meta.json: /)
  })

  it('with NaN in a box, as Python writes it', () => {
    writeFileSync(file, JSON.stringify({ kitchen: scene }).replace('[1,2,3],"axes', '[1,NaN,3],"axes'))
    expect(complaint()).toMatch(
      /^meta.json: kitchen.object_bbox.chair\[0\].centroid\[1\]: NaN is no JSON; write a number/,
    )
  })

  it('with a scene that is there twice, of which JSON.parse would keep the last', () => {
    const text = JSON.stringify(scene)
    writeFileSync(file, `{"kitchen": ${text}, "bath": ${text}, "kitchen": ${text}}`)
    expect(complaint()).toBe('meta.json: the key "kitchen" is there twice; keep one')
    writeFileSync(file, `{"kitchen": ${text.replace('"room_size"', '"dataset":"b","room_size"')}}`)
    expect(complaint()).toBe('meta.json: kitchen: the key "dataset" is there twice; keep one')
  })

  it('with a scene that is in two files', () => {
    const other = join(dir, 'other.json')
    for (const path of [file, other]) writeFileSync(path, JSON.stringify({ kitchen: scene }))
    expect(complaint([file, other])).toBe("other.json: scene 'kitchen' is in meta.json already; keep one")
  })

  it.each([
    ['UTF-16', Buffer.from(`\uFEFF${JSON.stringify({ kitchen: scene })}`, 'utf16le'), /UTF-16; save it again as UTF-8/],
    ['UTF-16 without a mark', Buffer.from(JSON.stringify({ kitchen: scene }), 'utf16le'), /got UTF-16/],
    ['Latin-1', Buffer.from('{"küche": 1}', 'latin1'), /expected UTF-8 text/],
    ['nothing in it', Buffer.from(''), /the file is empty/],
    [
      'its end cut off',
      Buffer.from(JSON.stringify({ kitchen: scene }).slice(0, 180)),
      /^meta.json: kitchen.*: the text ends here; the file is cut off/,
    ],
  ])('with %s', (_, bytes, expected) => {
    writeFileSync(file, bytes)
    expect(complaint()).toMatch(expected)
    expect(complaint()).toMatch(/^meta.json: /)
  })

  it('that are not there', () => {
    expect(complaint([join(dir, 'none.json')])).toMatch(/^cannot read none.json: .*no such file/)
  })

  it('with a byte order mark are read', () => {
    writeFileSync(file, `\uFEFF${JSON.stringify({ kitchen: scene })}`)
    expect(complaint()).toBe('no error')
  })
})

describe('damaged scans', () => {
  const name = 'scene0700_00'
  const path = (suffix: string): string => join(dir, name, `${name}${suffix}`)
  const ply = '_vh_clean_2.ply'
  const segs = '_vh_clean_2.0.010000.segs.json'

  /** A whole scan, damaged by replacing text in one of its files. */
  function damage(suffix: string, change: (bytes: Buffer) => Buffer | string): string {
    writeFileSync(labels, labelTable)
    writeScan(dir, name, { format: 'binary_little_endian' })
    writeFileSync(path(suffix), change(readFileSync(path(suffix))))
    return complaint([join(dir, name)])
  }
  const swap = (from: string, to: string) => (bytes: Buffer) =>
    Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1')

  it.each<[string, string, (bytes: Buffer) => Buffer | string, RegExp]>([
    ['no PLY', ply, () => 'OFF 1 2 3', /clean_2.ply: expected a PLY file, which starts with "ply"/],
    ['an endless header', ply, (b) => b.subarray(0, 60), /clean_2.ply: the header has no end_header/],
    [
      'an unknown format',
      ply,
      swap('binary_little_endian', 'gzip'),
      /format: expected ascii, .*, got "format gzip 1.0"/,
    ],
    ['an unknown type', ply, swap('float y', 'half y'), /"property half y": .* type half/],
    ['no heights', ply, swap('float z', 'float h'), /vertices have no property z/],
    [
      'no number of vertices',
      ply,
      swap('element vertex ', 'element vertex x'),
      /element vertex: expected how many, got "x\d+"/,
    ],
    ['faces first', ply, swap('element vertex', 'element tristrips'), /vertices as the first element, got tristrips/],
    ['vertices cut off', ply, (b) => b.subarray(0, 5000), /expected 9\d\d\d vertices, got 29\d; the file is cut off/],
    [
      'a vertex nowhere',
      ply,
      (b) => {
        b.writeFloatLE(Number.NaN, b.indexOf('end_header') + 11 + 16 * 7 + 4)
        return b
      },
      /clean_2.ply: vertex 7: y: expected a finite number, got NaN/,
    ],
    [
      'segments of another mesh',
      segs,
      swap('"segIndices":[', '"segIndices":[3,'),
      /segIndices: expected \d+ numbers, one per vertex, got \d+/,
    ],
    [
      'segments in words',
      segs,
      swap('"segIndices":[0', '"segIndices":["0"'),
      /segIndices\[0\]: expected a whole number/,
    ],
    ['no list of segments', segs, swap('segIndices', 'indices'), /segIndices: expected a list .*, got nothing/],
    [
      'two objects of one number',
      '.aggregation.json',
      swap('"objectId":1', '"objectId":0'),
      /segGroups\[1\].objectId: there are two objects 0/,
    ],
    [
      'an object without label',
      '.aggregation.json',
      swap('"label":"desk"', '"name":"desk"'),
      /segGroups\[2\].label: expected a string, got nothing/,
    ],
    [
      'an object without points',
      '.aggregation.json',
      swap('[30,31]', '[99]'),
      /object 2 \('desk'\): no vertex is in any of its segments/,
    ],
    [
      'an alignment of nine numbers',
      '.txt',
      () => 'axisAlignment = 1 0 0 0 1 0 0 0 1\n',
      /axisAlignment: expected 16 numbers/,
    ],
    ['an alignment of NaN', '.txt', swap('1.000000', 'nan'), /axisAlignment: expected 16 numbers/],
  ])('with %s', (_, suffix, change, expected) => {
    const message = damage(suffix, change)
    expect(message).toMatch(expected)
    expect(message).toContain(name)
  })

  it.each([
    [segs, /there is no scene0700_00_vh_clean_2.0.010000.segs.json/],
    ['.aggregation.json', /there is no scene0700_00.aggregation.json or scene0700_00_vh_clean.aggregation.json/],
    ['.txt', /there is no scene0700_00.txt: the scan's axis alignment/],
  ])('without %s', (suffix, expected) => {
    writeScan(dir, name)
    rmSync(path(suffix))
    expect(complaint([join(dir, name)])).toMatch(expected)
  })

  it.each([
    [
      'cut off',
      (text: string) => text.slice(0, text.indexOf('\n', 9000) + 1),
      /expected 9\d\d\d vertices, got \d+; the file is cut off/,
    ],
    ['with a word', (text: string) => text.replace(/\n0 0.05\S*/, '\n0 oops'), /vertex 1: y: expected a finite number/],
    [
      'with a short line',
      (text: string) => text.replace(' 10 20 30 255', ' 10'),
      /vertex 0: expected 7 numbers, got "0 0 0 10"/,
    ],
  ])('as ASCII %s', (_, change, expected) => {
    writeScan(dir, name, { format: 'ascii' })
    writeFileSync(path(ply), change(readFileSync(path(ply), 'latin1')))
    expect(complaint([join(dir, name)])).toMatch(expected)
  })

  it.each([
    [
      'no column',
      labelTable.replace('nyu40class', 'class'),
      /labels.tsv: line 1: expected a column nyu40class, got id/,
    ],
    [
      'a short row',
      labelTable.replace('\tgarbage bin\totherfurniture', ''),
      /labels.tsv: line 5: expected 8 columns, got 6/,
    ],
    ['no row', labelTable.split('\n')[0] ?? '', /labels.tsv: expected a row per category, got none/],
    [
      'other labels',
      labelTable.replaceAll(/chair|desk|trash can|mouse|wall/g, 'x'),
      /none of its labels is in the table of labels, e.g. 'office chair'/,
    ],
  ])('with a table of labels with %s', (_, text, expected) => {
    writeScan(dir, name)
    writeFileSync(labels, text)
    expect(complaint([join(dir, name)])).toMatch(expected)
  })

  it('of which a folder holds none, or whose labels are not given', () => {
    const empty = mkdtempSync(join(dir, 'empty-'))
    expect(complaint([empty])).toMatch(/there is no ScanNet scan in it/)
    expect(() => readScenes([writeScan(dir, name)])).toThrow(/give --labels/)
  })
})
