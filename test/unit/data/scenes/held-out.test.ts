import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { heldOutFrom, refuseHeldOut } from '../../../../src/data/scenes/held-out.js'
import type { SceneRecord } from '../../../../src/data/scenes/record.js'
import { scanNetValidationPlaces } from '../../../../src/data/scenes/test-scenes.js'

const dir = process.env.VSGRPO_VSIBENCH_DIR

describe('held-out scenes', () => {
  it('are all scans of the places of ScanNet’s validation split, and no others', () => {
    expect(scanNetValidationPlaces.size).toBe(142)
    for (const name of ['scene0011_00', 'scene0568_00', 'scene0704_01']) expect(heldOutFrom(name)).toMatch(/ScanNet/)
    for (const name of ['scene0000_00', 'scene0001_01', 'demo-train-0-00001', 'toString']) {
      expect(heldOutFrom(name)).toBeUndefined()
    }
  })

  it('are refused by name, with the way to go on', () => {
    const record = {} as SceneRecord
    const scenes = new Map([['scene0000_00', record] as const, ['scene0011_00', record], ['7b6477cb95', record]])
    expect(() => refuseHeldOut(scenes, 'do so')).toThrow(
      "scene 'scene0011_00' is in ScanNet's validation split, and 1 more are test scenes: a model trained on them cannot be tested; leave them out, or do so",
    )
    expect(() => refuseHeldOut(new Map([['scene0000_00', record]]), '')).not.toThrow()
  })

  it.skipIf(dir === undefined)('include every scene of VSI-Bench’s records', () => {
    const names = ['arkitscenes', 'scannetpp'].flatMap((name) =>
      Object.keys(JSON.parse(readFileSync(join(dir ?? '', `${name}_meta_info_val.json`), 'utf8'))),
    )
    expect(names).toHaveLength(200)
    expect(names.filter((name) => heldOutFrom(name) !== 'VSI-Bench')).toEqual([])
  })
})
