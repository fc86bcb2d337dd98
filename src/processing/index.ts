/** Messages, images and videos to prompts. */
export type { SamplingOptions } from './frame-sampling.js'
export type { Frames } from './frames.js'
export { type Grid, type PositionOptions, type PositionPlan, planPositions } from './positions.js'
export { Processor, type ProcessorOptions, type PromptContext } from './processor.js'
export { type Size, smartResize } from './resize.js'
export type { Profile } from './resize-plan.js'
export type { DecodeOptions } from './tokenizer.js'
