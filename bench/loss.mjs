/**
 * The head and the GRPO loss of 4,096 tokens (vocabulary 151,936, width 1,536, bfloat16), with the gradients of hidden
 * states and head: our fused pass against PyTorch's operators as TRL uses them.
 */
import { opShape, opTrial } from './ops/grpo-loss.mjs'
import { peerPython } from './peers/python.mjs'
import { isPeer, ratioOf } from './rig/duel.mjs'
import { build, figures, identity, readOptions, report } from './rig/record.mjs'
import { runTrials } from './rig/trials.mjs'
import { findExecutable, peerWorker } from './rig/workers.mjs'

/** @param {readonly string[]} args */
export async function main(args) {
  const options = readOptions(args, { peer: { type: 'string', default: 'torch' } })
  const { warmup, steps, threads, trials, fresh } = options
  build()
  findExecutable()
  const fused = { name: 'ours', job: { task: 'fused', ...opShape }, run: async () => (await opTrial(threads)).fused }
  const sides = [fused]
  if (isPeer(options.peer, ['torch'])) {
    const job = { task: 'loss', ...opShape, warmup, steps, seed: 1 }
    sides.unshift({ name: 'peer', job, run: peerWorker(await peerPython(), threads) })
  }
  const done = await runTrials(sides, { trials, fresh, identity: identity(threads) })
  const ours = figures(done.ours ?? [])
  const peer = done.peer && figures(done.peer)
  const compared = peer ? { peer: { name: 'torch', ...peer }, ...ratioOf(peer, ours) } : {}
  report('loss', { benchmark: 'loss', shape: opShape, ours, ...compared }, options)
}
