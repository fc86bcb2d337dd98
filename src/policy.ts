/** Policies: models that answer and learn, and how they are loaded. */
export { type LoadModelOptions, type LoraConfig, loadModel } from './policy/load-model.js'
export {
  Policy,
  type PolicyParts,
  type PolicyProcessor,
  type SampleOptions,
} from './policy/policy.js'
export type { Reference } from './policy/reference.js'
export type { Engine, ScoreOptions } from './policy/weights.js'
