/**
 * How long log-probabilities of a group's completions and the gradients of all weights take, against transformers with
 * every completion behind its own copy of the prompt, in bfloat16 or float32.
 */
import { best, checkpointingWays, duel, ratioOf } from './rig/duel.mjs'
import { checkpointDir, rowsFile } from './rig/inputs.mjs'
import { build, dtypeOf, readOptions, report } from './rig/record.mjs'
import { model, promptTokens, workloadOf } from './rig/workloads.mjs'

/** @param {readonly string[]} args */
export async function main(args) {
  const own = { workload: { type: 'string', default: 'B' }, peer: { type: 'string', default: 'transformers' } }
  const options = readOptions(args, own)
  const workload = workloadOf(options.workload)
  if (workload.frames > 0) throw new Error('[--workload] expected A, B or C, got D, which is a video')
  build()
  const { group, newTokens } = workload
  const { warmup, steps } = options
  const checkpoint = await checkpointDir(model)
  const dtype = dtypeOf(options)
  const job = {
    task: 'forward-backward',
    dtype,
    checkpoint,
    rows: await rowsFile(workload, 1),
    group,
    newTokens,
    warmup,
    steps,
    seed: 1,
  }
  const jobs = checkpointingWays(options.peer, ['transformers'], job)
  const { ours, peer } = await duel({ ours: job, peer: jobs }, options)
  const fastest = peer && best(peer, 'seconds')
  report(
    `forward-backward-${workload.name}`,
    {
      benchmark: 'forward-backward',
      workload: workload.name,
      dtype,
      shape: { promptTokens: promptTokens(workload), group, newTokens, model },
      ours,
      ...(fastest ? { peer: { name: 'transformers', ...fastest }, ...ratioOf(fastest, ours), peerWays: peer } : {}),
    },
    options,
  )
}
