/**
 * Which of ScanNet's labels count as which category. `benchmark`: VSI-Bench's vocabulary, nine classes of the benchmark's
 * twenty by their NYU40 name and twenty-seven raw categories, some merged. `raw`: every raw category by its own name but for
 * those that are parts of the building or nothing in particular; VSI-100k's questions speak of such.
 */
import type { LabelRow } from './scannet-files.js'

export const vocabularies = ['benchmark', 'raw'] as const

export type Vocabulary = (typeof vocabularies)[number]

const byNyu40 = new Map(
  ['bed', 'chair', 'sofa', 'table', 'window', 'bookshelf', 'counter', 'refrigerator']
    .map((name): [string, string] => [name, name])
    .concat([['desk', 'table']]),
)

const byRaw = new Map(
  [
    ...['pillow', 'monitor', 'door', 'lamp', 'printer', 'towel', 'tv', 'nightstand', 'plant', 'keyboard', 'backpack'],
    ...['trash bin', 'closet', 'microwave', 'fan', 'washing machine', 'mirror', 'piano', 'radiator', 'telephone'],
    ...['clock', 'guitar', 'bicycle', 'oven'],
  ]
    .map((name): [string, string] => [name, name])
    .concat([
      ['trash can', 'trash bin'],
      ['recycling bin', 'trash bin'],
      ['mouse', 'computer mouse'],
    ]),
)

const noObjects = ['wall', 'floor', 'ceiling', 'object', 'unknown', 'remove', 'structure', 'column']

/** The category of an object with this label, or undefined when nobody asks about such. */
export function categoryOf({ raw, nyu40 }: LabelRow, vocabulary: Vocabulary): string | undefined {
  if (vocabulary === 'raw') return noObjects.includes(raw) || noObjects.includes(nyu40) ? undefined : raw
  return byRaw.get(raw) ?? byNyu40.get(nyu40)
}
