/** Scene records, where they come from, and distances in them. */

export { type Random, type Range, randomStream } from '../../random.js'
export { boxDistance } from './box-distance.js'
export { heldOutFrom } from './held-out.js'
export { type Definition, definitions, type Measure, measureOf } from './measure.js'
export { type ReadScenesOptions, readScenes } from './read.js'
export type { BoxRecord, SceneRecord, Scenes, Vec3 } from './record.js'
export { type Vocabulary, vocabularies } from './scannet-categories.js'
