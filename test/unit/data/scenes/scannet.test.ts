import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readScenes } from '../../../../src/data/scenes/read.js'
import type { BoxRecord, SceneRecord } from '../../../../src/data/scenes/record.js'
import { furniture, labelTable, type ScanOptions, writeScan } from './scan-fixture.js'

const dir = mkdtempSync(join(tmpdir(), 'scannet-'))
const labels = join(dir, 'scannetv2-labels.combined.tsv')
writeFileSync(labels, labelTable)

let scans = 0

function read(options: ScanOptions = {}, vocabulary?: 'raw'): SceneRecord {
  const scene = `scene${String(scans++).padStart(4, '0')}_00`
  const [record] = readScenes([writeScan(dir, scene, options)], { labels, vocabulary }).values()
  if (record === undefined) throw new Error('no scene')
  return record
}

function sides(box: BoxRecord | undefined): number[] {
  return [...(box?.axesLengths ?? [])].sort((a, b) => a - b).map((length) => Number(length.toFixed(3)))
}

describe('a ScanNet scan', () => {
  const scan = read({ turned: 0.8 })

  it('gives VSI-Bench’s categories, with theirs counted together that the benchmark counts together', () => {
    expect(scan.object_counts).toEqual({ chair: 2, table: 1, 'trash bin': 1, 'computer mouse': 1 })
    expect(scan.dataset).toBe('scannet')
  })

  it('gives every object the box that it was made from, along the aligned axes', () => {
    for (const [name, index, label] of [
      ['chair', 0, 'office chair'],
      ['chair', 1, 'chair'],
      ['table', 0, 'desk'],
      ['trash bin', 0, 'trash can'],
      ['computer mouse', 0, 'mouse'],
    ] as const) {
      const box = scan.object_bbox[name]?.[index]
      const made = furniture.find((one) => one.label === label)
      expect(sides(box)).toEqual([...(made?.size ?? [])].sort((a, b) => a - b))
      for (const k of [0, 1, 2] as const) expect(box?.centroid[k]).toBeCloseTo(made?.centre[k] ?? Number.NaN, 3)
    }
  })

  it('measures the floor and finds its middle', () => {
    // The wall stands 5 cm beyond the northern edge of the floor's 4 m.
    expect(scan.room_size).toBeGreaterThan(19.9)
    expect(scan.room_size).toBeLessThan(20.4)
    expect(scan.room_center[0]).toBeCloseTo(2.5, 2)
  })

  it('is the same from ASCII and from either byte order', () => {
    const binary = read({ turned: 0.8 })
    for (const format of ['ascii', 'binary_big_endian'] as const) {
      expect(read({ turned: 0.8, format }).object_bbox).toEqual(binary.object_bbox)
    }
  })

  it('keeps raw categories where they are asked for, but no walls', () => {
    expect(read({}, 'raw').object_counts).toEqual({
      'office chair': 1,
      chair: 1,
      desk: 1,
      'trash can': 1,
      mouse: 1,
    })
  })

  it('is found in a folder of scans', () => {
    const many = join(dir, 'scans')
    for (const name of ['scene0001_01', 'scene0001_00']) writeScan(many, name)
    const done: number[] = []
    expect([...readScenes([many], { labels, onProgress: (n) => done.push(n) }).keys()]).toEqual([
      'scene0001_00',
      'scene0001_01',
    ])
    expect(done).toEqual([1, 2])
  })
})
