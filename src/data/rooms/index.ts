/** Synthetic rooms: seeded scenes, frames, questions with known answers, and the controls that go with them. */
export { type AnsweredRow, type BlindRow, fitBlind, grey } from './blind.js'
export {
  makeRooms,
  type Room,
  type RoomExample,
  type RoomSet,
  type RoomsOptions,
  roomExamples,
  type Split,
} from './dataset.js'
export { encodePng } from './png.js'
export { type Question, type QuestionKind, questionKinds } from './questions/index.js'
export { type Random, randomStream } from './random.js'
export type { CameraRecipe, CategoryRecipe, LookRecipe, QuestionRecipe, Recipe } from './recipe.js'
export { type RecipeName, recipes, shortAnswer } from './recipes.js'
export type { BoxRecord, CameraRecord, Look, RoomScene, SceneRecord } from './record.js'
export { renderRoom } from './render.js'
export { type WriteRoomsOptions, type WrittenRooms, writeRooms } from './write.js'
