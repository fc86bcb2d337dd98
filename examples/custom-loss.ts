import { type CustomLoss, checkLoss, GRPOTrainer, loadModel, progress, runFolder } from 'vsgrpo'
import { jsonl } from 'vsgrpo/data'
import { accuracyReward } from 'vsgrpo/rewards'

/** Dual-clip PPO (arXiv 1912.09729): a bad answer costs at most `most` times its advantage, however likely it has become. */
function dualClip(most: number): CustomLoss {
  return ({ logps, oldLogps = logps, advantages, weights, options: { epsilonLow, epsilonHigh } }) => {
    const dlogps = new Float32Array(logps.length)
    let [loss, bounded] = [0, 0]
    for (const [k, logp] of logps.entries()) {
      const [old = logp, advantage = 0, weight = 0] = [oldLogps[k], advantages[k], weights[k]]
      const ratio = Math.exp(logp - old)
      const clipped = Math.min(Math.max(ratio, 1 - epsilonLow), 1 + epsilonHigh)
      const usual = Math.min(ratio * advantage, clipped * advantage)
      const gain = advantage < 0 ? Math.max(usual, most * advantage) : usual
      const isFree = gain === ratio * advantage
      loss -= weight * gain // weights hold the normaliser of the whole step: a plain sum is right for any micro-batch
      dlogps[k] = isFree ? -weight * gain : 0 // d ratio / d logp = ratio; where a bound holds, nothing moves
      bounded += isFree ? 0 : 1 / logps.length
    }
    return { loss, dlogps, metrics: { bounded } }
  }
}

const loss = dualClip(3)
checkLoss(loss) // compares its gradients with finite differences; throws and names the token where they part

const model = await loadModel('examples/demo/base')
const trainer = new GRPOTrainer({
  model,
  trainDataset: jsonl('rooms/questions.jsonl'), // made by: npx vsgrpo rooms --output rooms --recipe demo --count 200
  rewardFuncs: accuracyReward(),
  loss,
  // Two steps on the same answers: in the second, ratios have left 1.
  args: { numGenerations: 8, perDeviceTrainBatchSize: 64, maxCompletionLength: 8, numIterations: 2, maxSteps: 20 },
  reporters: [runFolder('runs/custom-loss'), progress()],
})
await trainer.train()
await trainer.saveModel('runs/custom-loss/model')
model.dispose()
