/**
 * The questions' sentences, to write and to read them: VSI-Bench's to the letter, and those that the VSI-100k paper shows
 * (figure 2, with its missing spaces). Reading takes either, whatever spaces there are.
 */

export const wordings = ['benchmark', 'paper'] as const

export type Wording = (typeof wordings)[number]

/** What a question asks for. */
export type Asked =
  | { readonly kind: 'object_counting' | 'object_size_estimation'; readonly category: string }
  | { readonly kind: 'room_size_estimation' }
  | { readonly kind: 'object_abs_distance'; readonly first: string; readonly second: string }
  | { readonly kind: 'object_rel_distance'; readonly target: string; readonly listed: readonly string[] }
  | {
      readonly kind: DirectionKind
      readonly stand: string
      readonly facing: string
      readonly query: string
    }
  | { readonly kind: 'obj_appearance_order'; readonly listed: readonly string[] }

export type DirectionKind = 'object_rel_direction_easy' | 'object_rel_direction_medium' | 'object_rel_direction_hard'

/** The sentence for what is asked. */
export function ask(asked: Asked, wording: Wording = 'benchmark'): string {
  const paper = wording === 'paper'
  switch (asked.kind) {
    case 'object_counting':
      return paper ? `How many ${asked.category}(s)in the room?` : `How many ${asked.category}(s) are in this room?`
    case 'object_size_estimation':
      return `What is the length of the longest dimension (length,${paper ? '' : ' '}width, or height) of the ${asked.category}, measured in centimeters?`
    case 'room_size_estimation':
      return paper ? roomSize : `${roomSize} \nIf multiple rooms are shown, estimate the size of the combined space.`
    case 'object_abs_distance':
      return `${paper ? 'What' : `${fromClosest} what`} is the distance between the ${asked.first} and the ${asked.second} (in meters)?`
    case 'object_rel_distance':
      return paper
        ? `Which of these objects (${asked.listed.join(', ')})is the closest to the ${asked.target}?`
        : `${fromClosest} which of these objects (${asked.listed.join(', ')}) is the closest to the ${asked.target}?`
    case 'obj_appearance_order':
      return `What will be the first-time appearance order of the following categories in the video: ${asked.listed.join(', ')}?`
    default:
      return `If I am standing by the ${asked.stand} and facing the ${asked.facing}${paper ? '' : ','} is the ${asked.query} ${directionEnd[asked.kind](asked.facing)}`
  }
}

const roomSize = 'What is the size of this room (in square meters)?'
const fromClosest = 'Measuring from the closest point of each object,'

const directionEnd: Readonly<Record<DirectionKind, (facing: string) => string>> = {
  object_rel_direction_easy: (facing) => `to the left or the right of the ${facing}?`,
  object_rel_direction_medium: () =>
    'to my left, right, or back?\n' +
    'An object is to my back if I would have to turn at least 135 degrees in order to face it.',
  object_rel_direction_hard: () =>
    'to my front-left, front-right, back-left, or back-right?\n' +
    'The directions refer to the quadrants of a Cartesian plane ' +
    '(if I am standing at the origin and facing along the positive y-axis).',
}

type Form = readonly [RegExp, (parts: readonly string[]) => Asked]

/** Tried in turn on the question's first line. */
const forms: readonly Form[] = [
  [
    /^how many (.+?) ?\(s\) ?(?:are )?in th(?:is|e) room\?/i,
    ([category = '']) => ({ kind: 'object_counting', category }),
  ],
  [
    /longest dimension ?\(length, ?width,? or height\) of the (.+?), measured in centimeters/i,
    ([category = '']) => ({ kind: 'object_size_estimation', category }),
  ],
  [/^what is the size of this room ?\(in square meters\)/i, () => ({ kind: 'room_size_estimation' })],
  [
    /what is the (?:direct )?distance between the (.+) and the (.+?) ?\(in meters\)/i,
    ([first = '', second = '']) => ({ kind: 'object_abs_distance', first, second }),
  ],
  [
    /which of these objects ?\((.+)\) ?is the closest to the (.+?)\?/i,
    ([listed = '', target = '']) => ({ kind: 'object_rel_distance', target, listed: names(listed) }),
  ],
  [
    /first-time appearance order .* in the video: ?(.+?)\?/i,
    ([listed = '']) => ({ kind: 'obj_appearance_order', listed: names(listed) }),
  ],
  directionForm('object_rel_direction_easy', 'to the left or the right of the'),
  directionForm('object_rel_direction_medium', 'to my left, right, or back'),
  directionForm('object_rel_direction_hard', 'to my front-left, front-right, back-left, or back-right'),
]

/** What a sentence asks for, or undefined when it is of no known form. */
export function understand(question: string): Asked | undefined {
  const [line = ''] = question.trim().split('\n')
  const text = line.replace(/\s+/g, ' ')
  for (const [pattern, read] of forms) {
    const found = pattern.exec(text)
    if (found) return read(found.slice(1))
  }
  return undefined
}

function directionForm(kind: DirectionKind, end: string): Form {
  const pattern = new RegExp(`standing by the (.+) and facing the (.+?),? is the (.+) ${end}`, 'i')
  return [pattern, ([stand = '', facing = '', query = '']) => ({ kind, stand, facing, query })]
}

function names(list: string): string[] {
  return list.split(',').map((name) => name.trim())
}
