/**
 * The fused head and loss against the same expression out of libtorch's operators, both in one C++ process on the same
 * numbers. `vsgrpo_bench grpo-loss` measures and prints one line of JSON:
 * { tokens, vocabulary, hidden, dtype, fused: { seconds: [s, …], peakBytes? }, unfused: { seconds: [s, …], peakBytes? } },
 * peakBytes being what the pass needs beyond its inputs.
 */
import { ratioOf } from '../rig/duel.mjs'
import { build, figures, identity, readOptions, report } from '../rig/record.mjs'
import { runTrials } from '../rig/trials.mjs'
import { runExecutable } from '../rig/workers.mjs'

/** What the executable measures. */
export const opShape = { tokens: 4096, vocabulary: 151936, hidden: 1536 }

/** @param {readonly string[]} args */
export async function main(args) {
  const options = readOptions(args)
  const { trials, threads, fresh } = options
  build()
  const job = { task: 'vsgrpo_bench grpo-loss', ...opShape }
  const run = async () => {
    const { fused, unfused } = await opTrial(threads)
    return { ...fused, unfused }
  }
  const done = await runTrials([{ name: 'grpo-loss', job, run }], { trials, fresh, identity: identity(threads) })
  const both = done['grpo-loss'] ?? []
  const ours = figures(both.map(({ unfused, ...fused }) => fused))
  const peer = figures(both.map(({ unfused }) => unfused))
  const compared = { ours, peer: { name: 'libtorch, unfused', ...peer }, ...ratioOf(peer, ours) }
  report('ops-grpo-loss', { benchmark: 'ops/grpo-loss', shape: opShape, ...compared }, options)
}

/**
 * One run of the executable: a trial of each of its two ways.
 * @param {number} threads
 */
export async function opTrial(threads) {
  const { fused, unfused, ...shape } = await runExecutable('grpo-loss', threads)
  for (const [name, expected] of Object.entries(opShape)) {
    if (shape[name] !== expected) throw new Error(`[vsgrpo_bench] expected ${name} ${expected}, got ${shape[name]}`)
  }
  return { fused: asTrial(fused), unfused: asTrial(unfused) }
}

function asTrial({ seconds, peakBytes = 0, ...others }) {
  return { ...others, seconds: [seconds].flat(), peakBytes }
}
