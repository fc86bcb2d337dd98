/** `vsgrpo/rewards`: the built-in rewards and what is needed to write one's own. */
export { type AccuracyOptions, accuracyReward } from './accuracy.js'
export { type CombineOptions, combineRewards, type Scores } from './combine.js'
export { type AnswerFormat, formatReward } from './format.js'
export { type LengthPenaltyOptions, lengthPenalty } from './length.js'
export { type OverlongOptions, overlongShaping } from './overlong.js'
export {
  meanRelativeAccuracy,
  type RelativeAccuracyOptions,
  ratioAccuracy,
  relativeAccuracyReward,
} from './relative-accuracy.js'
export { type RepetitionOptions, repetitionPenalty } from './repetition.js'
export { type BatchReward, batched, named, type RewardFunc, type RewardInput } from './reward.js'
