/** Parts of a step: generation, and a forward and backward pass over one prompt's group. */
import { uniform } from '../rig/checkpoint.mjs'
import { pack } from './forest.mjs'
import { loadPolicy } from './policy.mjs'
import { promptsOf } from './prompts.mjs'

/** Seconds of each repeat after the warm-up. */
export async function timed({ warmup, steps }, call) {
  const seconds = []
  for (let index = 0; index < warmup + steps; index++) {
    const begin = performance.now()
    await call(index)
    if (index >= warmup) seconds.push((performance.now() - begin) / 1000)
  }
  return seconds
}

/** Seconds of forward and backward passes over a batch whose loss is the weighted sum of its log-probabilities. */
export function timedGradients(job, policy, packed, weights) {
  return timed(job, async () => {
    const forward = await policy.forward(packed, { grad: true, adapter: true, temperature: 1 })
    try {
      await forward.backward({ loss: 'sft', weights })
    } finally {
      forward.dispose()
    }
  })
}

export async function generate(job) {
  const { group, newTokens, seed } = job
  const policy = await loadPolicy(job)
  const prompts = await promptsOf(policy, job)
  const seconds = await timed(job, async (index) => {
    const options = { numGenerations: group, maxNewTokens: newTokens, seed: seed + index }
    const answers = (await policy.generate(prompts, options)).flat()
    const wrong = answers.find(({ ids }) => ids.length !== newTokens)
    if (wrong || answers.length !== group * prompts.length)
      throw new Error(`expected ${group} completions of ${newTokens} tokens for each of ${prompts.length} prompts`)
  })
  policy.dispose()
  return { seconds, promptTokens: prompts[0].ids.length }
}

/** Log-probabilities of the completions and the gradient of their weighted sum. */
export async function forwardBackward(job) {
  const policy = await loadPolicy(job)
  const [prompt] = await promptsOf(policy, job)
  const random = uniform(job.seed)
  const completions = Array.from({ length: job.group }, () =>
    Int32Array.from({ length: job.newTokens }, () => Math.floor(151643 * random())),
  )
  const packed = pack(prompt, completions)
  const count = job.group * job.newTokens
  const weights = Float32Array.from({ length: count }, () => (2 * random() - 1) / count)
  const seconds = await timedGradients(job, policy, packed, weights)
  policy.dispose()
  return { seconds, promptTokens: prompt.ids.length }
}
