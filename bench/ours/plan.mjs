/** What `plan` says of the steps that `grpo-step` takes, and how long it takes to say it. */
import { plan } from 'vsgrpo'
import { jsonl } from 'vsgrpo/data'
import { stepArgs } from './grpo-step.mjs'

/** @param {import('./grpo-step.mjs').StepJob} job */
export async function planStep(job) {
  const begun = performance.now()
  const trainDataset = jsonl(job.rows)
  const made = await plan({ model: job.checkpoint, dtype: job.dtype, trainDataset, args: stepArgs(job) })
  return { seconds: [(performance.now() - begun) / 1000], plan: made }
}
