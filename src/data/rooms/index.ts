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
export type { CameraRecipe, CategoryRecipe, LookRecipe, QuestionRecipe, Recipe } from './recipe.js'
export { type RecipeName, recipes, roomKinds, shortAnswer } from './recipes.js'
export type { CameraRecord, Look, RoomScene } from './record.js'
export { renderRoom } from './render.js'
export { type WriteRoomsOptions, type WrittenRooms, writeRooms } from './write.js'
