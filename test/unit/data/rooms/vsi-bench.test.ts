/** The geometry against VSI-Bench's own records and answers; needs VSGRPO_VSIBENCH_DIR and is skipped without it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { categoryDistance, turnAngle } from '../../../../src/data/rooms/geometry.js'
import { type BoxRecord, onlyBox, type SceneRecord } from '../../../../src/data/rooms/record.js'

const dir = process.env.VSGRPO_VSIBENCH_DIR

interface Row {
  readonly dataset: string
  readonly scene_name: string
  readonly question_type: string
  readonly question: string
  readonly options: readonly string[] | null
  readonly ground_truth: string
}

function load(folder: string): { scene: SceneRecord; row: Row }[] {
  const scenes = ['arkitscenes', 'scannetpp'].map((name): [string, Record<string, SceneRecord>] => [
    name,
    JSON.parse(readFileSync(join(folder, `${name}_meta_info_val.json`), 'utf8')),
  ])
  const byDataset = new Map(scenes)
  const lines = readFileSync(join(folder, 'questions.jsonl'), 'utf8').trimEnd().split('\n')
  return lines.flatMap((line) => {
    const row: Row = JSON.parse(line)
    const scene = byDataset.get(row.dataset)?.[row.scene_name]
    // The records say "coat hanger" where the questions say "coat rack".
    return scene === undefined || row.question.includes('coat rack') ? [] : [{ scene, row }]
  })
}

function namesIn(row: Row): string[] {
  const [, list = '', primary = ''] = /objects \((.+)\) is the closest to the (.+)\?/.exec(row.question) ?? []
  return [...list.split(', '), primary]
}

/** Distances hold for boxes that turn about the vertical; a few real boxes lean. */
function isUpright(box: BoxRecord): boolean {
  return box.normalizedAxes.some((value, i) => i % 3 === 2 && Math.abs(value) > 0.95)
}

function truth(row: Row): string {
  const option = row.options?.find((text) => text.startsWith(`${row.ground_truth}.`))
  return option?.slice(3) ?? row.ground_truth
}

describe.skipIf(dir === undefined)('geometry on the records of VSI-Bench', () => {
  const all = dir === undefined ? [] : load(dir)

  it('agrees on left and right', () => {
    const form = /standing by the (.+) and facing the (.+), is the (.+) to the left/
    const easy = all.filter(({ row }) => row.question_type === 'object_rel_direction_easy')
    const right = easy.filter(({ scene, row }) => {
      const [, a = '', b = '', c = ''] = form.exec(row.question) ?? []
      const [stand, facing, query] = [onlyBox(scene, a), onlyBox(scene, b), onlyBox(scene, c)]
      if (stand === undefined || facing === undefined || query === undefined) return false
      return truth(row) === (turnAngle(stand, facing, query) < 180 ? 'left' : 'right')
    })
    console.log(`vsi-bench: direction ${right.length} of ${easy.length}`)
    expect(right.length / easy.length).toBe(1)
  })

  it('agrees on the closest object where all boxes stand upright', () => {
    const form = /which of these objects \((.+)\) is the closest to the (.+)\?/
    const rows = all
      .filter(({ row }) => row.question_type === 'object_rel_distance')
      .filter(({ scene, row }) => namesIn(row).every((name) => (scene.object_bbox[name] ?? []).every(isUpright)))
    const right = rows.filter(({ scene, row }) => {
      const [, list = '', primary = ''] = form.exec(row.question) ?? []
      const distance = (name: string): number =>
        categoryDistance(scene.object_bbox[name] ?? [], scene.object_bbox[primary] ?? [])
      return list.split(', ').sort((a, b) => distance(a) - distance(b))[0] === truth(row)
    })
    console.log(`vsi-bench: closest ${right.length} of ${rows.length}`)
    expect(right.length / rows.length).toBe(1)
  })
})
