/** Optimizer steps of our GRPOTrainer. */
import { GRPOTrainer } from 'vsgrpo'
import { jsonl } from 'vsgrpo/data'
import { loadPolicy } from './policy.mjs'
import { timeSteps } from './steps.mjs'
import { apart, unshared } from './unshared.mjs'

/** What takes the least memory. */
const leanArgs = { gradientCheckpointing: true, optimStateDtype: 'int8', gradDtype: 'bfloat16' }

/** Text in, number out; cheap, and different within a group. */
const reward = ({ text }) => ([...text].length % 8) / 8

/**
 * @typedef {object} StepJob
 * @property {string} checkpoint
 * @property {string} rows JSONL
 * @property {number} questions prompts in a step about the same media
 * @property {number} [prompts] sets of media in a step; default 1
 * @property {'cpu' | 'cuda'} [device]
 * @property {'bfloat16' | 'float32'} [dtype]
 * @property {{ r: number }} [lora]
 * @property {number} group
 * @property {number} newTokens
 * @property {number} warmup
 * @property {number} steps
 * @property {number} seed
 * @property {boolean} [lean] memory before speed: `leanArgs`
 * @property {boolean} [shared] false: every completion with its own prompt
 */

/** @param {StepJob} job */
export async function grpoStep(job) {
  const { rows, newTokens, steps, shared = true } = job
  const base = await loadPolicy(job)
  const policy = shared ? base : unshared(base)
  const trainer = new GRPOTrainer({
    model: policy,
    trainDataset: jsonl(rows),
    rewardFuncs: reward,
    reporters: [],
    ...(shared ? {} : { encode: async (example, processor) => apart(await processor.prompt(example.messages)) }),
    // One group at a time: with the prompts copied that is as much as the default.
    args: { ...stepArgs(job), ...(shared ? {} : { tokensPerMicroBatch: 1 }) },
  })
  const memory = ['weights', 'reference', 'gradients', 'optimizer', 'decoding'].map((part) => `memory/${part}`)
  const log = ['loss', 'grad_norm', 'kl', 'entropy', 'reward_std', ...memory]
  const measured = await timeSteps(trainer, { steps, log, check: (metrics) => check(metrics, newTokens) })
  base.dispose()
  return measured
}

/**
 * The trainer's options.
 * @param {StepJob} job
 */
export function stepArgs({ lean = false, ...job }) {
  const { questions, prompts = 1, group, newTokens, warmup, steps, seed } = job
  return {
    numGenerations: group,
    perDeviceTrainBatchSize: group * questions * prompts,
    maxCompletionLength: newTokens,
    beta: 0.04,
    learningRate: 1e-6,
    maxSteps: warmup + steps,
    seed,
    promptsPerMedia: questions,
    saveStrategy: 'no',
    logCompletions: false,
    ...(lean ? leanArgs : {}),
  }
}

/** Every completion has exactly the stated number of tokens. */
function check(metrics, newTokens) {
  const lengths = [metrics['completions/min_length'], metrics['completions/max_length']]
  if (lengths.every((length) => length === newTokens)) return
  throw new Error(`expected completions of ${newTokens} tokens, got ${lengths.join(' to ')}`)
}
