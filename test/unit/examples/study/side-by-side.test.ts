import { expect, it } from 'vitest'
import { type Cell, needs, smallForm } from '../../../../examples/study/cells.js'
import { sideBySide } from '../../../../examples/study/side-by-side.js'

const cells = smallForm(2)
const pause = () => new Promise<void>((done) => setImmediate(done))

async function run(jobs: number, failing?: string) {
  const finished = new Set<string>()
  let [now, most] = [0, 0]
  const code = await sideBySide(cells, jobs, async (cell: Cell) => {
    expect(needs(cell).filter(({ name }) => !finished.has(name))).toEqual([])
    most = Math.max(most, ++now)
    await pause()
    now--
    if (cell.name === failing) return 3
    finished.add(cell.name)
    return 0
  })
  return { code, most, finished: [...finished] }
}

it.each([1, 2, 5])('runs every cell once, at most %i at a time, after what it needs', async (jobs) => {
  const { code, most, finished } = await run(jobs)
  expect(code).toBe(0)
  expect(most).toBe(jobs)
  expect(finished.sort()).toEqual(cells.map(({ name }) => name).sort())
})

it('starts nothing after a failure, and lets what runs come to its end', async () => {
  const { code, finished } = await run(2, cells[2]?.name)
  expect(code).toBe(3)
  expect(finished.length).toBeLessThanOrEqual(4)
  expect(finished).toContain(cells[1]?.name)
})
