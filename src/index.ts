/** `vsgrpo`: models, trainers and what a run says. Datasets are in `vsgrpo/data`, rewards in `vsgrpo/rewards`. */

export { type PackedSequences, packSequences, type Sequence } from './batch.js'
export { AbortedError, type ErrorCode, InputError, VsgrpoError } from './errors.js'
export { interruptible } from './interrupt.js'
export { type ProgressOptions, progress } from './log/progress.js'
export type { Reporter } from './log/reporter.js'
export { type RunFolderOptions, runFolder } from './log/run-folder.js'
export { type TensorBoardOptions, tensorboard } from './log/tensorboard.js'
export {
  type DpoInputs,
  type DpoOptions,
  defaultDpoOptions,
  defaultGrpoOptions,
  dpoLoss,
  type GrpoInputs,
  type GrpoOptions,
  type GrpoOutput,
  grpoLoss,
  grpoMetrics,
  type LossInputs,
  type LossOutput,
  sftLoss,
} from './losses/index.js'
export type {
  Backward,
  BackwardResult,
  ForwardOptions,
  NativeForward,
  NativeModel,
  NativeOptimizer,
  OptimizerOptions,
  TokenStats,
} from './native.js'
export { type Plan, type PlanOptions, plan } from './plan/index.js'
export {
  type LoadModelOptions,
  type LoraConfig,
  loadModel,
  Policy,
  type Reference,
  type SampleOptions,
  type ScoreOptions,
} from './policy.js'
export { Processor, type ProcessorOptions } from './processing/index.js'
export { type CompareOptions, compareRuns, type ReportOptions, writeReport } from './report/index.js'
export type { DPOConfig, DPOValues } from './train/dpo/config.js'
export { type EarlyStoppingOptions, earlyStopping } from './train/early-stopping.js'
export type * from './train/events.js'
export { type GRPOConfig, type GRPOValues, vsgrpo } from './train/grpo/config.js'
export {
  type CustomLoss,
  type CustomLossInputs,
  type CustomLossOutput,
  checkLoss,
  type LossCheck,
  type LossCheckOptions,
} from './train/grpo/custom-loss.js'
export {
  DPOTrainer,
  type DPOTrainerOptions,
  GRPOTrainer,
  type GRPOTrainerOptions,
  SFTTrainer,
  type SFTTrainerOptions,
} from './train/index.js'
export type { Callback, Encode, TrainerOptions, TrainOptions, TrainResult } from './train/session.js'
export type { SFTConfig, SFTValues } from './train/sft/config.js'
export type { Completion, ContentPart, Example, Media, Message, Metrics, Prompt } from './types.js'
