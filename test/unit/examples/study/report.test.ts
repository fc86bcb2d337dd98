import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { smallForm, tuningGrid } from '../../../../examples/study/cells.js'
import { writeReport } from '../../../../examples/study/report.js'
import { keepResults, readResults, writeResult } from '../../../../examples/study/result.js'
import { pointsWith, resultOf } from './results.js'

const folder = mkdtempSync(join(tmpdir(), 'vsgrpo-study-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const x = [1, 2, 3]
const curves = { Reward: { x, y: [0.1, 0.2, 0.3] }, Entropy: { x, y: [1, 1, 1] } }
const results = smallForm(2).map((cell) => resultOf(cell, { points: pointsWith(0.2 + 0.1 * cell.seed), curves }))

describe('the report', () => {
  it('has the paper’s table, methods down and tasks across, in HTML and in Markdown', () => {
    const [html = '', markdown = ''] = writeReport(folder, results).map((file) => readFileSync(file, 'utf8'))
    expect(markdown).toContain(
      '| method | Average | Count | AbsDist | ObjSize | Room | RelDist | RelDir | Route | Order |',
    )
    expect(markdown).toMatch(/^\| GRPO, vanilla, β 1e-4 \| 26\.7 ±\d+\.\d ±84\.7 \| 26\.7 ±/m)
    expect(markdown).toMatch(/^\| blind, best constant per category \| \d/m)
    expect(markdown).toMatch(/^\| SFT improves the base .* \| undecided \|/m)
    for (const text of ['At equal compute', 'Average over the tasks', 'Reward', '<svg']) expect(html).toContain(text)
    // Nothing is fetched when it is opened.
    expect(html).not.toMatch(/(?:src|href)="?https?:/)
  })

  it('shows what settings were chosen from, and leaves it out of the results', () => {
    const tuning = tuningGrid().map((cell) => resultOf(cell, { points: pointsWith(0.1).slice(0, 70) }))
    const [, file = ''] = writeReport(folder, [...results, ...tuning])
    const markdown = readFileSync(file, 'utf8')
    expect(markdown).toContain('How the learning rates were chosen')
    expect(markdown.match(/^\| grpo \| 0\.001 \| /gm)).toHaveLength(1)
  })

  it('refuses to mix sizes, and to report on nothing', () => {
    const [first, ...rest] = results
    if (!first) throw new Error('no results')
    const other = { ...first, size: { ...first.size, steps: 99 } }
    expect(() => writeReport(folder, [...rest, other])).toThrow(/base-vanilla: its size differs/)
    expect(() => writeReport(folder, [])).toThrow(/no finished cell/)
  })

  it('is made from kept results as from the cells’ folders', () => {
    const [cells, kept] = [join(folder, 'cells'), join(folder, 'kept')]
    for (const result of results) writeResult(cells, result)
    keepResults(readResults(cells), kept)
    expect(existsSync(join(kept, 'cells.jsonl'))).toBe(true)
    expect(readResults(kept)).toEqual(readResults(cells))
    expect(readResults(kept)).toHaveLength(results.length)
  })
})
