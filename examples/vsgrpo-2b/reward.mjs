import { accuracyReward, named, relativeAccuracyReward } from 'vsgrpo/rewards'

const words = accuracyReward()
const numbers = relativeAccuracyReward({ measure: 'ratio' })

/**
 * Section 3.2 of the paper: words are right or wrong, numbers are told by |right - given| / min(right, given). How that
 * error becomes a reward is not stated; here 1 - error, not below 0.
 */
export const accuracy = named('accuracy', async (input) => (await numbers(input)) ?? words(input))
