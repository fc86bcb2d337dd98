/** Policies: models that answer and learn, and how they are loaded. */
export { type LoadModelOptions, type LoraConfig, loadModel } from './policy/load-model.js'
export {
  type Engine,
  Policy,
  type PolicyParts,
  type PolicyProcessor,
  type Reference,
  type SampleOptions,
  type ScoreOptions,
} from './policy/policy.js'
