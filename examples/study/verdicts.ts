/**
 * Judging a difference. It counts only when zero lies outside both intervals, over rooms and over seeds; "no change" counts
 * only when both intervals lie within a margin. Everything else is undecided. Pure.
 */
import type { Cell } from './cells.js'
import type { Line, Study } from './lines.js'
import type { Mode } from './modes.js'
import type { Aspect, Estimate, Statistics } from './statistics.js'
import { short, signed } from './text.js'

export type Verdict = 'holds' | 'does not hold' | 'undecided' | 'not measured'

export interface Finding {
  /** What the paper says, with its section and numbers. */
  readonly claim: string
  readonly criterion: string
  /** What was measured. */
  readonly seen: string
  readonly verdict: Verdict
}

/** The lines that a finding is about; what is not named may be anything. `asked` is the cell's own mode. */
export type Wanted = Partial<Pick<Cell, 'method' | 'mode' | 'beta' | 'budget'>> & { readonly show?: Line['show'] }

type Judge = (side: 'above' | 'below' | undefined, estimate: Estimate) => Verdict

const upwards: Judge = (side) => (side === 'above' ? 'holds' : side === 'below' ? 'does not hold' : 'undecided')

export class Comparer {
  constructor(
    private readonly study: Study,
    private readonly statistics: Statistics,
  ) {}

  /** That a is better than b. */
  above(claim: string, a: Wanted, b: Wanted, aspect: Aspect = 'average'): Finding {
    const criterion = `The difference in ${spoken(aspect)} lies above 0 by both intervals.`
    return this.judge({ claim, criterion }, [this.find(a), this.find(b)], aspect, upwards)
  }

  /** That a is better than every control that does not look. */
  aboveBlind(claim: string, a: Wanted): Finding {
    const blind = this.study.lines.filter(({ show }) => show === 'nothing')
    const averageOf = (line: Line) => this.statistics.estimate(line, 'average')?.mean ?? 0
    const [best] = [...blind].sort((x, y) => averageOf(y) - averageOf(x))
    const criterion = 'The difference in the average to the best blind control lies above 0 by both intervals.'
    return this.judge({ claim, criterion }, [this.find(a), best], 'average', upwards)
  }

  /** That a mode does not help the untrained model, which has no seeds: the interval over rooms decides. */
  notHelped(claim: string, mode: Mode): Finding {
    const criterion = `It holds unless the average of ${mode} lies above that of vanilla by the interval over rooms.`
    const lines = [this.find({ method: 'base', mode }), this.find({ method: 'base', mode: 'vanilla' })] as const
    return this.judge({ claim, criterion }, lines, 'average', (_, { rooms }) =>
      rooms[0] > 0 ? 'does not hold' : 'holds',
    )
  }

  /** That a is what b is, within `margin` points. */
  equal(claim: string, a: Wanted, b: Wanted, aspect: Aspect, margin: number): Finding {
    const criterion =
      `Both intervals of the difference in ${spoken(aspect)} lie within ${margin} points of 0. ` +
      'It does not hold when both lie on the same side of 0 and one reaches beyond.'
    return this.judge({ claim, criterion }, [this.find(a), this.find(b)], aspect, (side, { rooms, seeds }) => {
      const within = ([low, high]: readonly [number, number]) => low >= -margin && high <= margin
      if (seeds && within(rooms) && within(seeds)) return 'holds'
      return side === undefined ? 'undecided' : 'does not hold'
    })
  }

  private judge(
    what: Pick<Finding, 'claim' | 'criterion'>,
    [a, b]: readonly [Line | undefined, Line | undefined],
    aspect: Aspect,
    judge: Judge,
  ): Finding {
    const estimate = a && b && this.statistics.difference(a, b, aspect)
    if (!estimate) return { ...what, seen: '', verdict: 'not measured' }
    return { ...what, seen: `${a.name} − ${b.name}: ${spelled(estimate)}.`, verdict: judge(sideOf(estimate), estimate) }
  }

  private find({ show = 'frames', ...wanted }: Wanted): Line | undefined {
    return this.study.lines.find(
      ({ cell, asked, show: own }) =>
        cell !== undefined &&
        own === show &&
        asked === cell.mode &&
        Object.entries(wanted).every(([name, value]) => Reflect.get(cell, name) === value),
    )
  }
}

/** Which side of zero both intervals lie on. */
function sideOf({ rooms, seeds }: Estimate): 'above' | 'below' | undefined {
  if (!seeds) return undefined
  if (rooms[0] > 0 && seeds[0] > 0) return 'above'
  return rooms[1] < 0 && seeds[1] < 0 ? 'below' : undefined
}

function spelled({ mean, rooms, seeds }: Estimate): string {
  const over = (name: string, [low, high]: readonly [number, number]) => `${name} ${short(low)} to ${short(high)}`
  return `${signed(mean)} (${[over('rooms', rooms), seeds ? over('seeds', seeds) : 'one seed'].join(', ')})`
}

function spoken(aspect: Aspect): string {
  return aspect === 'average' ? 'the average' : aspect.replaceAll('_', ' ')
}
