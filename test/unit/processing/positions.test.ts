import { describe, expect, it } from 'vitest'
import { type Grid, planPositions } from '../../../src/processing/positions.js'
import { golden, int32Tensor } from '../../parity/processor-golden.js'

const OPTIONS = { imageTokenId: 151655, videoTokenId: 151656, spatialMergeSize: 2, compat: 4 } as const

function gridsOf(name: string): Grid[] {
  const row = golden.prompts[name]
  const grids = { image: [...(row?.hf?.imageGrids ?? [])], video: [...(row?.hf?.videoGrids ?? [])] }
  return (row?.media ?? []).map(([kind]) => {
    const [t = 0, h = 0, w = 0] = grids[kind].shift() ?? []
    return [t, h, w]
  })
}

describe('planPositions', () => {
  it.each(Object.keys(golden.prompts))('equals get_rope_index of transformers 4.57 and 5.18: %s', (name) => {
    const ids = int32Tensor(`ids/${name}`)
    for (const compat of [4, 5] as const) {
      const plan = planPositions(ids, gridsOf(name), { ...OPTIONS, compat })
      expect(plan.positions).toEqual(int32Tensor(`positions-${compat}/${name}`))
      expect(plan.nextPosition).toBe(golden.prompts[name]?.hf?.[compat === 4 ? 'next' : 'next5'])
    }
  })

  it('goes on after the largest position of a long video, or after its largest side under rule 5', () => {
    const ids = [1, 1, 1, ...Array<number>(32).fill(151656), 1, 1]
    const tail = (compat: 4 | 5) => {
      const { positions, nextPosition } = planPositions(ids, [[8, 4, 4]], { ...OPTIONS, compat })
      return [positions[35], positions[36], nextPosition]
    }
    expect(tail(4)).toEqual([11, 12, 13])
    expect(tail(5)).toEqual([5, 6, 11])
  })

  it('gives plain counting for text and nothing for no tokens', () => {
    expect(planPositions([7, 8], [], OPTIONS)).toEqual({ positions: Int32Array.of(0, 1, 0, 1, 0, 1), nextPosition: 2 })
    expect(planPositions([], [], OPTIONS).nextPosition).toBe(0)
  })

  it('refuses placeholders and grids that do not match', () => {
    expect(() => planPositions([151655], [], OPTIONS)).toThrow(/no media item/)
    expect(() => planPositions([1], [[1, 2, 2]], OPTIONS)).toThrow(/1 media items for 0/)
    expect(() => planPositions([151655, 1], [[1, 4, 2]], OPTIONS)).toThrow(/needs 2 placeholder tokens, found 1/)
  })
})
