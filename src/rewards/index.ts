/** `vsgrpo/rewards`: the built-in rewards and what is needed to write one's own. */
export { type AccuracyOptions, accuracyReward } from './accuracy.js'
export { type CombineOptions, combineRewards, type Scores } from './combine.js'
export { type AnswerFormat, formatReward } from './format.js'
export { meanRelativeAccuracy, relativeAccuracyReward } from './relative-accuracy.js'
export { named, type RewardFunc, type RewardInput } from './reward.js'
