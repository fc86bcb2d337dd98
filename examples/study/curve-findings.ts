/** Findings that are read from the curves of the training rather than from the test. Pure. */
import { yardstick } from './cells.js'
import { mean, tenths } from './curves.js'
import type { Study } from './lines.js'
import type { CellResult, Curve } from './result.js'
import type { Finding } from './verdicts.js'

/** How far below its best tenth the last tenth of a collapsed run's rewards lies. */
const fall = 0.1
/** A format rate that rises less was there from the start. */
const leastRise = 0.05

export function collapse({ results }: Study): Finding {
  const what = {
    claim: 'Without a KL penalty training collapses easily, with 1e-4 it does not (section 3.3.2, figure 3).',
    criterion:
      'A run has collapsed when its reward, averaged over the last tenth of the steps, is more than 10 % below that of its ' +
      'best tenth. It holds when at least half of the runs with β 0 have collapsed, and a smaller part of those with β 1e-4.',
  }
  const runs = (beta: number) => results.filter(({ cell }) => cell.method === 'grpo' && cell.beta === beta)
  const [without, paper] = [runs(0), runs(yardstick.beta)]
  if (without.length === 0 || paper.length === 0) return { ...what, seen: '', verdict: 'not measured' }
  const [lost, kept] = [without, paper].map((some) => some.filter(hasCollapsed).length)
  const [share = 0, other = 0] = [(lost ?? 0) / without.length, (kept ?? 0) / paper.length]
  const seen = `${lost} of ${without.length} runs with β 0 collapsed, ${kept} of ${paper.length} with β 1e-4.`
  return { ...what, seen, verdict: share >= 0.5 && other < share ? 'holds' : 'does not hold' }
}

function hasCollapsed({ curves }: CellResult): boolean {
  const means = curves.Reward ? tenths(curves.Reward) : []
  return (means.at(-1) ?? 0) < (1 - fall) * Math.max(0, ...means)
}

export function quickFormat({ results }: Study): Finding {
  const what = {
    claim: 'The format is learned at once, accuracy slowly (section 3.3.4, figure 3).',
    criterion:
      'In think and observe runs with β 1e-4 the format rate has made 90 % of its rise earlier than the rewards for ' +
      'accuracy have, on average. Not measured where the base keeps the format already.',
  }
  const runs = results.filter(({ cell }) => cell.mode !== 'vanilla' && cell.beta === yardstick.beta)
  const formats = runs.flatMap(({ curves }) => curves['Format rate'] ?? [])
  if (formats.length === 0) return { ...what, seen: '', verdict: 'not measured' }
  const rise = mean(formats.map(riseOf))
  if (rise < leastRise)
    return { ...what, seen: `The format rate rises by ${rise.toFixed(2)}.`, verdict: 'not measured' }
  const names = ['Accuracy reward, words', 'Accuracy reward, numbers'] as const
  const accuracy = runs.flatMap(({ curves }) => names.flatMap((name) => curves[name] ?? []))
  const [format, right] = [mean(formats.map(timeOfRise)), mean(accuracy.map(timeOfRise))]
  const seen = `Format after ${Math.round(100 * format)} % of the steps, accuracy after ${Math.round(100 * right)} %.`
  return { ...what, seen, verdict: format < right ? 'holds' : 'does not hold' }
}

function riseOf(curve: Curve): number {
  const means = tenths(curve)
  return Math.max(...means) - (means[0] ?? 0)
}

/** The part of the steps after which a curve has made 90 % of its rise. */
function timeOfRise(curve: Curve): number {
  const means = tenths(curve)
  const goal = (means[0] ?? 0) + 0.9 * riseOf(curve)
  return (means.findIndex((value) => value >= goal) + 1) / means.length
}
