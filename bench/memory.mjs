/**
 * The largest resident size of a process that trains by GRPO (weights, reference policy, optimizer and activations; 12
 * bytes per parameter of ours are AdamW's, in float32), against TRL with gradient checkpointing on or off, whichever needs less.
 */
import { shapeOf, stepJob } from './grpo-step.mjs'
import { best, checkpointingWays, duel } from './rig/duel.mjs'
import { build, readOptions, report } from './rig/record.mjs'
import { workloadOf } from './rig/workloads.mjs'

/** @param {readonly string[]} args */
export async function main(args) {
  const own = { workload: { type: 'string', default: 'C' }, peer: { type: 'string', default: 'trl' } }
  const options = { ...readOptions(args, own) }
  const workload = workloadOf(options.workload)
  build()
  const job = await stepJob(workload, options)
  const jobs = checkpointingWays(options.peer, ['trl'], { ...job, autocast: false })
  const { ours, peer } = await duel({ ours: job, peer: jobs }, options)
  const leanest = peer && best(peer, 'peakBytes')
  report(
    `memory-${workload.name}`,
    {
      benchmark: 'memory',
      workload: workload.name,
      dtype: job.dtype,
      shape: shapeOf(workload),
      ours,
      ...(leanest
        ? { peer: { name: 'trl', ...leanest }, ratio: leanest.peakBytes / ours.peakBytes, peerWays: peer }
        : {}),
    },
    options,
  )
}
