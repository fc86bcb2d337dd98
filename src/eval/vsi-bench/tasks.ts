/** VSI-Bench's eight tasks: which types of question belong to each, how they are answered, in what order they are told. */

export const taskNames = [
  'object_counting',
  'object_abs_distance',
  'object_size_estimation',
  'room_size_estimation',
  'object_rel_distance',
  'object_rel_direction',
  'route_planning',
  'obj_appearance_order',
] as const
export type TaskName = (typeof taskNames)[number]

export const questionTypes = [
  'object_counting',
  'object_abs_distance',
  'object_size_estimation',
  'room_size_estimation',
  'object_rel_distance',
  'object_rel_direction_easy',
  'object_rel_direction_medium',
  'object_rel_direction_hard',
  'route_planning',
  'obj_appearance_order',
] as const
export type QuestionType = (typeof questionTypes)[number]

/** Column heads, as the paper's tables have them. */
export const taskLabels: Readonly<Record<TaskName, string>> = {
  object_counting: 'Count',
  object_abs_distance: 'AbsDist',
  object_size_estimation: 'ObjSize',
  room_size_estimation: 'Room',
  object_rel_distance: 'RelDist',
  object_rel_direction: 'RelDir',
  route_planning: 'Route',
  obj_appearance_order: 'Order',
}

/** The first four tasks ask for a number, the others for an option's letter. */
export function isNumeric(type: QuestionType): boolean {
  return questionTypes.indexOf(type) < 4
}

/** The three types of direction question are one task. */
export function taskOf(type: QuestionType): TaskName {
  return taskNames.find((name) => type.startsWith(name)) ?? 'object_rel_direction'
}
