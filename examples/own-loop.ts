/** GRPO in one file, from the parts that `GRPOTrainer` is made of: to read, or to begin an algorithm of one's own from. */
import { type Completion, defaultGrpoOptions, type Example, grpoLoss, loadModel, packSequences } from 'vsgrpo'
import { jsonl } from 'vsgrpo/data'
import { accuracyReward } from 'vsgrpo/rewards'

const maxSteps = 20
const [numPrompts, numGenerations, beta] = [8, 8, 0.01]
const dataset = jsonl('rooms/questions.jsonl') // made by: npx vsgrpo rooms --output rooms --recipe demo --count 200
const reward = accuracyReward()
const policy = await loadModel('examples/demo/base')
const reference = await policy.reference() // the policy as it is now
const optimizer = await policy.createOptimizer({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 })

for (let step = 0; step < maxSteps; step++) {
  // Sample. What sequences share (a video, a prompt) is computed once for all of them, here and in every pass below.
  const rows = Array.from({ length: numPrompts }, (_, p) => (step * numPrompts + p) % dataset.length)
  const examples = rows.map((row) => dataset.get(row))
  const prompts = await Promise.all(examples.map(({ messages }) => policy.processor.prompt(messages)))
  const keys = rows.map((row) => `${step} ${row}`) // each names a stream of random numbers
  const groups = await policy.generate(prompts, { numGenerations, maxNewTokens: 8, keys })

  const judged = await Promise.all(examples.map((example, p) => judge(groups[p] ?? [], example)))
  const answers = prompts.flatMap((prompt, p) => (judged[p] ?? []).map((answer) => ({ ...answer, prompt })))

  // Learn: the gradients of one sum over all tokens of all answers, then AdamW.
  const refLogps = (await reference.score(answers)).flatMap(({ logps }) => [...logps])
  const packed = packSequences(answers)
  const forward = await policy.forward(packed)
  const { logps } = await forward.logps()
  const inputs = {
    logps,
    refLogps: Float32Array.from(refLogps),
    advantages: Float32Array.from(answers.flatMap((answer) => [...answer.completionIds].map(() => answer.advantage))),
    weights: logps.map(() => 1 / logps.length),
    offsets: packed.offsets,
  }
  const { loss, dlogps } = grpoLoss(inputs, { ...defaultGrpoOptions, beta }) // or any loss, with its gradient by logps
  await forward.backward({ loss: 'external', dlogps })
  forward.dispose()
  const { gradNorm } = await optimizer.step({ lr: 1e-4, maxGradNorm: 1 })
  const earned = mean(answers.map((answer) => answer.reward))
  console.log(JSON.stringify({ step: step + 1, loss, reward: earned, grad_norm: gradNorm }))
}
await policy.save('runs/own-loop/model')
for (const part of [optimizer, reference, policy]) part.dispose()

/** What each answer earned, and how many standard deviations better than its group that is. */
async function judge(group: readonly Completion[], example: Example) {
  const rewards = await Promise.all(group.map(async (answer) => (await reward({ ...answer, example })) ?? 0))
  const center = mean(rewards)
  const deviation = Math.sqrt(rewards.reduce((sum, value) => sum + (value - center) ** 2, 0) / (rewards.length - 1))
  const answers = group.map(({ ids }, g) => ({ completionIds: ids, reward: rewards[g] ?? 0 }))
  return answers.map((answer) => ({ ...answer, advantage: (answer.reward - center) / (deviation + 1e-4) }))
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
