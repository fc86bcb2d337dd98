/** Optimizer steps of our GRPOTrainer, timed from the end of one to the end of the next. */
import { GRPOTrainer } from 'vsgrpo'
import { jsonl } from 'vsgrpo/data'
import { loadPolicy } from './policy.mjs'
import { apart, unshared } from './unshared.mjs'

/** Text in, number out; cheap, and different within a group. */
const reward = ({ text }) => ([...text].length % 8) / 8

/**
 * @typedef {object} StepJob
 * @property {string} checkpoint
 * @property {string} rows JSONL
 * @property {number} questions prompts in a step
 * @property {number} group
 * @property {number} newTokens
 * @property {number} warmup
 * @property {number} steps
 * @property {number} seed
 * @property {boolean} [shared] false: every completion with its own prompt
 */

/** @param {StepJob} job */
export async function grpoStep(job) {
  const { rows, questions, group, newTokens, warmup, steps, seed, shared = true } = job
  const base = await loadPolicy(job)
  const policy = shared ? base : unshared(base)
  const trainer = new GRPOTrainer({
    model: policy,
    trainDataset: jsonl(rows),
    rewardFuncs: reward,
    reporters: [],
    ...(shared ? {} : { encode: async (example, processor) => apart(await processor.prompt(example.messages)) }),
    args: {
      numGenerations: group,
      perDeviceTrainBatchSize: group * questions,
      maxCompletionLength: newTokens,
      beta: 0.04,
      learningRate: 1e-6,
      maxSteps: warmup + steps,
      seed,
      promptsPerMedia: questions,
      saveStrategy: 'no',
      logCompletions: false,
      // One group at a time: with the prompts copied that is as much as the default.
      ...(shared ? {} : { tokensPerMicroBatch: 1 }),
    },
  })
  const events = []
  for await (const event of trainer) {
    if (event.type !== 'step') continue
    check(event.metrics, newTokens)
    events.push({ at: performance.now(), metrics: event.metrics })
  }
  base.dispose()
  const timed = events.slice(1).map(({ at, metrics }, i) => ({ seconds: (at - events[i].at) / 1000, metrics }))
  const kept = timed.slice(-steps)
  const last = kept.at(-1)?.metrics ?? {}
  return {
    seconds: kept.map(({ seconds }) => seconds),
    phases: kept.map(phasesOf),
    log: Object.fromEntries(['loss', 'grad_norm', 'kl', 'entropy', 'reward_std'].map((name) => [name, last[name]])),
  }
}

/** Seconds by phase, as the trainer logs them, and what is left of the step. */
function phasesOf({ seconds, metrics }) {
  const logged = Object.entries(metrics).filter(([name]) => name.startsWith('profiling/'))
  const phases = Object.fromEntries(logged.map(([name, value]) => [name.slice('profiling/'.length), value]))
  return { ...phases, rest: seconds - Object.values(phases).reduce((sum, value) => sum + value, 0) }
}

/** Every completion has exactly the stated number of tokens. */
function check(metrics, newTokens) {
  const lengths = [metrics['completions/min_length'], metrics['completions/max_length']]
  if (lengths.every((length) => length === newTokens)) return
  throw new Error(`expected completions of ${newTokens} tokens, got ${lengths.join(' to ')}`)
}
