/** Optimizer steps of our DPOTrainer, with a prompt for both answers or one for each. */
import { DPOTrainer } from 'vsgrpo'
import { fromArray, jsonl } from 'vsgrpo/data'
import { uniform } from '../rig/checkpoint.mjs'
import { loadPolicy } from './policy.mjs'
import { timeSteps } from './steps.mjs'
import { unshared } from './unshared.mjs'

/**
 * @typedef {object} DpoJob
 * @property {string} checkpoint
 * @property {string} rows JSONL, a prompt for each pair of each step
 * @property {number} pairs in a step
 * @property {number} newTokens of an answer
 * @property {number} warmup
 * @property {number} steps
 * @property {number} seed
 * @property {boolean} [shared] false: every answer with its own prompt
 */

/** @param {DpoJob} job */
export async function dpoStep(job) {
  const { pairs, warmup, steps, seed, shared = true } = job
  const base = await loadPolicy(job)
  const trainer = new DPOTrainer({
    model: shared ? base : unshared(base),
    trainDataset: withAnswers(job),
    reporters: [],
    args: {
      perDeviceTrainBatchSize: pairs,
      maxLength: 0,
      // High enough that the losses of both ways say whether they learn the same.
      learningRate: 1e-4,
      maxSteps: warmup + steps,
      shuffleDataset: false,
      seed,
      saveStrategy: 'no',
    },
  })
  const log = ['loss', 'grad_norm', 'rewards/margins', 'logps/chosen', 'logps/rejected']
  const measured = await timeSteps(trainer, { steps, log })
  base.dispose()
  return measured
}

/** Answers of digits, each of which is a token. */
function withAnswers({ rows, newTokens, seed }) {
  const prompts = jsonl(rows)
  const random = uniform(seed)
  const answer = () => Array.from({ length: newTokens }, () => Math.floor(10 * random())).join('')
  return fromArray(
    Array.from({ length: prompts.length }, (_, i) => ({ ...prompts.get(i), chosen: answer(), rejected: answer() })),
  )
}
