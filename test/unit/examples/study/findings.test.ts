import { describe, expect, it } from 'vitest'
import { type Cell, fullGrid, smallForm } from '../../../../examples/study/cells.js'
import { controls, findings } from '../../../../examples/study/findings.js'
import { studyOf } from '../../../../examples/study/lines.js'
import type { CellResult } from '../../../../examples/study/result.js'
import { statisticsOf } from '../../../../examples/study/statistics.js'
import { pointsWith, resultOf } from './results.js'

const cells = smallForm(3)

function judged(results: readonly CellResult[], judge = findings): Map<string, string> {
  const study = studyOf(results)
  return new Map(judge(study, statisticsOf(study.rows, study.lines)).map(({ claim, verdict }) => [claim, verdict]))
}

function verdict(of: ReadonlyMap<string, string>, part: RegExp): string | undefined {
  return [...of].find(([claim]) => part.test(claim))?.[1]
}

/** Every method right on its share of the questions, in all seeds alike. */
function withShares(share: (cell: Cell) => number, shift: (cell: Cell) => number = () => 0): CellResult[] {
  return cells.map((cell) => resultOf(cell, { points: pointsWith(share(cell), shift(cell)) }))
}

const paperLike = withShares(({ method }) => ({ base: 0.2, dpo: 0.2, sft: 0.5, grpo: 0.8 })[method])

describe('findings', () => {
  it('hold where the differences are clear in rooms and seeds', () => {
    const found = judged(paperLike)
    expect(verdict(found, /^GRPO with vanilla prompts improves/)).toBe('holds')
    expect(verdict(found, /^SFT improves/)).toBe('holds')
    expect(verdict(found, /^DPO hardly changes/)).toBe('holds')
    expect(verdict(found, /^GRPO beats SFT .*examples/)).toBe('holds')
    expect(verdict(found, /^GRPO beats SFT, at equal compute/)).toBe('holds')
  })

  it('do not hold where the differences are the other way round', () => {
    const found = judged(withShares(({ method }) => ({ base: 0.5, dpo: 0.8, sft: 0.8, grpo: 0.2 })[method]))
    expect(verdict(found, /^GRPO with vanilla prompts improves/)).toBe('does not hold')
    expect(verdict(found, /^DPO hardly changes/)).toBe('does not hold')
    expect(verdict(found, /^GRPO beats SFT .*examples/)).toBe('does not hold')
  })

  it('are undecided where rooms or seeds leave doubt, or one seed is all there is', () => {
    // The same share, other questions: a difference of 0 with a wide interval.
    const shifted = withShares(
      ({ method }) => (method === 'base' ? 0.4 : 0.5),
      ({ method }) => (method === 'base' ? 9 : 0),
    )
    expect(verdict(judged(shifted), /^SFT improves/)).toBe('undecided')
    const unsteady = withShares(({ method, seed }) => (method === 'base' ? 0.2 : ([0.1, 0.5, 0.9][seed] ?? 0)))
    expect(verdict(judged(unsteady), /^SFT improves/)).toBe('undecided')
    const alone = paperLike.filter(({ cell }) => cell.seed === 0)
    expect(verdict(judged(alone), /^SFT improves/)).toBe('undecided')
  })

  it('are not measured where a side of the comparison is missing', () => {
    const found = judged(paperLike.filter(({ cell }) => cell.method !== 'dpo'))
    expect(verdict(found, /^DPO hardly changes/)).toBe('not measured')
    expect(verdict(found, /^Training with vanilla prompts beats think/)).toBe('not measured')
    expect(verdict(found, /^Without a KL penalty/)).toBe('does not hold')
  })

  it('see a collapse by the end of the reward’s curve', () => {
    const x = Array.from({ length: 40 }, (_, i) => i)
    const [rising, falling] = [x.map((i) => 0.2 + i / 100), x.map((i) => (i < 20 ? 0.2 + i / 50 : 0.1))]
    const results = cells.map((cell) =>
      resultOf(cell, { points: pointsWith(0.5), curves: { Reward: { x, y: cell.beta === 0 ? falling : rising } } }),
    )
    expect(verdict(judged(results), /^Without a KL penalty/)).toBe('holds')
  })

  it('compare when format and accuracy rise, in think and observe runs', () => {
    const x = Array.from({ length: 40 }, (_, i) => i)
    const [quick, slow] = [x.map((i) => Math.min(1, 0.5 + i / 10)), x.map((i) => i / 40)]
    const results = (format: number[], accuracy: number[]) =>
      fullGrid(2).map((cell) =>
        resultOf(cell, {
          points: pointsWith(0.5),
          curves: { 'Format rate': { x, y: format }, 'Accuracy reward, words': { x, y: accuracy } },
        }),
      )
    expect(verdict(judged(results(quick, slow)), /^The format is learned/)).toBe('holds')
    expect(verdict(judged(results(slow, quick)), /^The format is learned/)).toBe('does not hold')
    expect(
      verdict(
        judged(
          results(
            x.map(() => 1),
            slow,
          ),
        ),
        /^The format is learned/,
      ),
    ).toBe('not measured')
  })
})

describe('controls', () => {
  it('tell a model that looks from one that answers grey frames as well', () => {
    const look = cells.map((cell) => resultOf(cell, { points: pointsWith(0.95), grey: pointsWith(0.2) }))
    expect(verdict(judged(look, controls), /^What GRPO learned needs/)).toBe('holds')
    expect(verdict(judged(look, controls), /^GRPO is better than any answer/)).toBe('holds')
    const blind = cells.map((cell) => resultOf(cell, { points: pointsWith(0.2), grey: pointsWith(0.2) }))
    expect(verdict(judged(blind, controls), /^What GRPO learned needs/)).toBe('undecided')
    expect(verdict(judged(blind, controls), /^GRPO is better than any answer/)).toBe('does not hold')
  })
})
