/** Passes of the GPU's rows: whole sequences, log-probabilities of given tokens, and of sampled ones twice. */
import { uniform } from '../rig/checkpoint.mjs'
import { packWhole } from './forest.mjs'
import { timedGradients } from './passes.mjs'
import { loadPolicy } from './policy.mjs'
import { promptsOf } from './prompts.mjs'

/** Forward and backward pass over `sequences` texts of `length` random tokens; the gradients of all weights. */
export async function training(job) {
  const { sequences, length, seed } = job
  const policy = await loadPolicy({ ...job, freezeVision: true })
  const random = uniform(seed)
  const texts = Array.from({ length: sequences }, () => randomIds(random, length))
  const packed = packWhole(texts)
  const count = packed.targets.ids.length
  const weights = new Float32Array(count).fill(1 / count)
  const seconds = await timedGradients(job, policy, packed, weights)
  policy.dispose()
  return { seconds }
}

/** Log-probabilities of a group's random completions. */
export async function score(job) {
  const policy = await loadPolicy({ ...job, trainable: false })
  const [prompt] = await promptsOf(policy, job)
  const random = uniform(job.seed)
  const begin = performance.now()
  const sequences = Array.from({ length: job.group }, () => ({
    prompt,
    completionIds: randomIds(random, job.newTokens),
  }))
  const logps = (await policy.scoreAll(sequences)).flatMap((stats) => [...stats.logps])
  policy.dispose()
  return { seconds: [(performance.now() - begin) / 1000], logps }
}

/** Log-probabilities of sampled tokens, as sampling gave them and as a training pass does. */
export async function sampler(job) {
  const policy = await loadPolicy({ ...job, trainable: false })
  const prompts = await promptsOf(policy, job)
  const begin = performance.now()
  const answers = await policy.generate(prompts, {
    numGenerations: job.group,
    maxNewTokens: job.newTokens,
    seed: job.seed,
  })
  const sequences = answers.flatMap((group, p) => group.map(({ ids }) => ({ prompt: prompts[p], completionIds: ids })))
  const trained = (await policy.scoreAll(sequences)).flatMap((stats) => [...stats.logps])
  const sampled = answers.flat().flatMap(({ logps }) => [...logps])
  policy.dispose()
  return { seconds: [(performance.now() - begin) / 1000], sampled, trained }
}

/** Below the special tokens. */
function randomIds(random, count) {
  return Int32Array.from({ length: count }, () => Math.floor(151643 * random()))
}
