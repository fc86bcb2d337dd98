/** ScanNet's files: mesh, segments, objects, axis alignment, table of labels. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readScenes } from '../../../../src/data/scenes/read.js'
import { labelTable, writeScan } from '../scenes/scan-fixture.js'
import { type DamagedInput, put, type SoundInputs } from './kinds.js'

const scene = 'scene0700_00'
const mesh = '_vh_clean_2.ply'
const segments = '_vh_clean_2.0.010000.segs.json'
const objects = '.aggregation.json'
type Change = (bytes: Buffer) => Buffer | string

/** Writes a whole scan, changes one of its files (undefined removes it), and reads it. */
function scan(
  suffix: string,
  change: Change | undefined,
  format: 'ascii' | 'binary_little_endian',
  table = labelTable,
) {
  return (dir: string): unknown => {
    const labels = put(dir, 'labels.tsv', table)
    const folder = writeScan(dir, scene, { format })
    const path = join(folder, `${scene}${suffix}`)
    if (change === undefined) rmSync(path)
    else put(folder, `${scene}${suffix}`, change(readFileSync(path)))
    return readScenes([folder], { labels })
  }
}

const swap =
  (from: string, to: string): Change =>
  (bytes) =>
    Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1')
const keep: Change = (bytes) => bytes

function binary(name: string, suffix: string, change: Change | undefined, message: RegExp): DamagedInput {
  return { name, read: scan(suffix, change, 'binary_little_endian'), message }
}

function ascii(name: string, change: (text: string) => string, message: RegExp): DamagedInput {
  return { name, read: scan(mesh, (bytes) => change(bytes.toString('latin1')), 'ascii'), message }
}

function labelled(name: string, table: string, message: RegExp): DamagedInput {
  return { name, read: scan(mesh, keep, 'binary_little_endian', table), message }
}

export const soundScans: SoundInputs = {
  'a binary scan': scan(mesh, keep, 'binary_little_endian'),
  'a scan in ASCII': scan(mesh, keep, 'ascii'),
}

export const damagedScans: readonly DamagedInput[] = [
  binary('a mesh that is no PLY', mesh, () => 'OFF 1 2 3', /clean_2.ply: expected a PLY file, which starts with "ply"/),
  binary('a PLY header without end', mesh, (b) => b.subarray(0, 60), /clean_2.ply: the header has no end_header/),
  binary(
    'a PLY of an unknown format',
    mesh,
    swap('binary_little_endian', 'gzip'),
    /clean_2.ply: format: expected ascii, .*, got "format gzip 1.0"/,
  ),
  binary('a PLY with an unknown type', mesh, swap('float y', 'half y'), /clean_2.ply: "property half y": .* type half/),
  binary('a PLY without heights', mesh, swap('float z', 'float h'), /clean_2.ply: vertices have no property z/),
  binary(
    'a PLY without a number of vertices',
    mesh,
    swap('element vertex ', 'element vertex x'),
    /clean_2.ply: element vertex: expected how many, got "x\d+"/,
  ),
  binary(
    'a PLY with faces first',
    mesh,
    swap('element vertex', 'element tristrips'),
    /clean_2.ply: expected vertices as the first element, got tristrips/,
  ),
  binary(
    'a PLY cut off',
    mesh,
    (b) => b.subarray(0, 5000),
    /clean_2.ply: expected 9\d\d\d vertices, got 29\d; the file is cut off/,
  ),
  binary(
    'a vertex that is nowhere',
    mesh,
    (b) => {
      b.writeFloatLE(Number.NaN, b.indexOf('end_header') + 11 + 16 * 7 + 4)
      return b
    },
    /clean_2.ply: vertex 7: y: expected a finite number, got NaN/,
  ),
  ascii(
    'an ASCII PLY cut off',
    (text) => text.slice(0, text.indexOf('\n', 9000) + 1),
    /clean_2.ply: expected 9\d\d\d vertices, got \d+; the file is cut off/,
  ),
  ascii(
    'an ASCII PLY with a word',
    (text) => text.replace(/\n0 0.05\S*/, '\n0 oops'),
    /clean_2.ply: vertex 1: y: expected a finite number/,
  ),
  ascii(
    'an ASCII PLY with a short line',
    (text) => text.replace(' 10 20 30 255', ' 10'),
    /clean_2.ply: vertex 0: expected 7 numbers, got "0 0 0 10"/,
  ),
  binary(
    'segments of another mesh',
    segments,
    swap('"segIndices":[', '"segIndices":[3,'),
    /segs.json: segIndices: expected \d+ numbers, one per vertex, got \d+/,
  ),
  binary(
    'segments in words',
    segments,
    swap('"segIndices":[0', '"segIndices":["0"'),
    /segs.json: segIndices\[0\]: expected an integer of at least 0, got "0"/,
  ),
  binary(
    'no list of segments',
    segments,
    swap('segIndices', 'indices'),
    /segs.json: segIndices: expected a list .*, got nothing/,
  ),
  binary('segments cut off', segments, (b) => b.subarray(0, 900), /segs.json: segIndices.*: the text ends here/),
  binary(
    'two objects of one number',
    objects,
    swap('"objectId":1', '"objectId":0'),
    /aggregation.json: segGroups\[1\].objectId: there are two objects 0/,
  ),
  binary(
    'an object without label',
    objects,
    swap('"label":"desk"', '"name":"desk"'),
    /aggregation.json: segGroups\[2\].label: expected a string, got nothing/,
  ),
  binary(
    'an object without number',
    objects,
    (b) => b.toString().replace(/"(?:objectId|id)":1,/g, ''),
    /aggregation.json: segGroups\[1\].objectId: expected an integer of at least 0, got nothing/,
  ),
  binary(
    'an object without points',
    objects,
    swap('[30,31]', '[99]'),
    /scene0700_00: object 2 \('desk'\): no vertex is in any of its segments/,
  ),
  binary(
    'an alignment of nine numbers',
    '.txt',
    () => 'axisAlignment = 1 0 0 0 1 0 0 0 1\n',
    /scene0700_00.txt: axisAlignment: expected 16 numbers/,
  ),
  binary(
    'an alignment of NaN',
    '.txt',
    swap('1.000000', 'nan'),
    /scene0700_00.txt: axisAlignment: expected 16 numbers/,
  ),
  binary('a scan without segments', segments, undefined, /there is no scene0700_00_vh_clean_2.0.010000.segs.json/),
  binary(
    'a scan without objects',
    objects,
    undefined,
    /there is no scene0700_00.aggregation.json or scene0700_00_vh_clean.aggregation.json/,
  ),
  binary('a scan without alignment', '.txt', undefined, /there is no scene0700_00.txt: the scan's axis alignment/),
  labelled(
    'a table of labels without a column',
    labelTable.replace('nyu40class', 'class'),
    /labels.tsv: line 1: expected a column nyu40class, got id/,
  ),
  labelled(
    'a table of labels with a short row',
    labelTable.replace('\tgarbage bin\totherfurniture', ''),
    /labels.tsv: line 5: expected 8 columns, got 6/,
  ),
  labelled(
    'a table of labels without rows',
    labelTable.split('\n')[0] ?? '',
    /labels.tsv: expected a row per category, got none/,
  ),
  labelled(
    'a table of other labels',
    labelTable.replaceAll(/chair|desk|trash can|mouse|wall/g, 'x'),
    /scene0700_00: none of its labels is in the table of labels, e.g. 'office chair'/,
  ),
  {
    name: 'a folder without scans',
    read: (dir) => {
      mkdirSync(join(dir, 'scans'))
      return readScenes([join(dir, 'scans')], { labels: put(dir, 'labels.tsv', labelTable) })
    },
    message: /^scans: there is no ScanNet scan in it/,
  },
  {
    name: 'scans without a table of labels',
    read: (dir) => readScenes([writeScan(dir, scene)]),
    message: /scene0700_00: scans need ScanNet's table of labels; give --labels/,
  },
]
