/** The builder of each kind of question. */
import { appearanceOrder } from './appearance.js'
import { counting } from './counting.js'
import { directionEasy, directionHard, directionMedium } from './direction.js'
import { absoluteDistance, relativeDistance } from './distance.js'
import type { QuestionKind } from './question.js'
import type { QuestionBuilder } from './rules.js'
import { objectSize, roomSize } from './size.js'

export const builders: Readonly<Record<QuestionKind, QuestionBuilder>> = {
  object_counting: counting,
  object_rel_distance: relativeDistance,
  object_rel_direction_easy: directionEasy,
  object_rel_direction_medium: directionMedium,
  object_rel_direction_hard: directionHard,
  object_size_estimation: objectSize,
  object_abs_distance: absoluteDistance,
  room_size_estimation: roomSize,
  obj_appearance_order: appearanceOrder,
}
