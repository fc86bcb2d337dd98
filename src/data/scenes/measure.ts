/** What "distance" means. A measure remembers what it has measured: make one per scene. */
import { closestDistance } from './box-distance.js'
import { centreDistance } from './oriented-box.js'
import type { BoxRecord } from './record.js'
import { type SamplePoints, samplePoints } from './sample-points.js'
import { sampledDistance } from './sampled-distance.js'

/**
 * `benchmark`: between the closest sample points, as VSI-Bench's answers were made; `exact`: between the closest points of
 * the boxes, up to some centimetres less; `paper`: between the centres, as VSI-100k's were.
 */
export const definitions = ['benchmark', 'exact', 'paper'] as const

export type Definition = (typeof definitions)[number]

/** Metres between two categories' boxes, the closest two where there are several; infinite where there are none. */
export type Measure = (a: readonly BoxRecord[], b: readonly BoxRecord[]) => number

/** A measure with an empty memory. */
export function measureOf(definition: Definition): Measure {
  if (definition === 'exact') return remembering(closestDistance)
  if (definition === 'paper') return remembering(closestCentres)
  const sampler = rememberingPoints()
  return remembering((a, b) => sampledDistance(a, b, sampler))
}

function closestCentres(a: readonly BoxRecord[], b: readonly BoxRecord[]): number {
  return Math.min(...a.flatMap((first) => b.map((second) => centreDistance(first, second))))
}

/** All three definitions are symmetric, so a pair is measured once. */
function remembering(measure: Measure): Measure {
  const known = new Map<readonly BoxRecord[], Map<readonly BoxRecord[], number>>()
  const remember = (a: readonly BoxRecord[], b: readonly BoxRecord[], distance: number): void => {
    const from = known.get(a) ?? new Map<readonly BoxRecord[], number>()
    known.set(a, from.set(b, distance))
  }
  return (a, b) => {
    const found = known.get(a)?.get(b)
    if (found !== undefined) return found
    const distance = measure(a, b)
    remember(a, b, distance)
    remember(b, a, distance)
    return distance
  }
}

function rememberingPoints(): (box: BoxRecord) => SamplePoints {
  const known = new Map<BoxRecord, SamplePoints>()
  return (box) => {
    const points = known.get(box) ?? samplePoints(box)
    known.set(box, points)
    return points
  }
}
