/**
 * How long an optimizer step of DPO takes when the prompt is computed once for both answers, reference policy and AdamW
 * included, full fine-tuning: ours against ourselves with every answer behind its own copy of the prompt, which is what
 * other trainers compute. `difference` says how far the two runs' numbers are apart after the last step.
 */
import { duelOfSharing } from './rig/duel.mjs'
import { checkpointDir, rowsFile } from './rig/inputs.mjs'
import { build, dtypeOf, readOptions, report } from './rig/record.mjs'
import { model, promptTokens, workloadOf } from './rig/workloads.mjs'

/** @param {readonly string[]} args */
export async function main(args) {
  const own = { workload: { type: 'string', default: 'B' }, pairs: { type: 'string', default: '4' } }
  const options = readOptions(args, own)
  const workload = workloadOf(options.workload)
  if (workload.frames > 0)
    throw new Error('[--workload] expected A, B or C, got D: its questions share a video besides')
  const pairs = Number(options.pairs)
  if (!Number.isInteger(pairs) || pairs < 1)
    throw new Error(`[--pairs] expected an integer >= 1, got '${options.pairs}'`)
  build()
  const { warmup, steps } = options
  const { newTokens } = workload
  const checkpoint = await checkpointDir(model)
  const rows = await rowsFile(workload, pairs * (warmup + steps))
  const dtype = dtypeOf(options)
  const job = { task: 'dpo-step', dtype, checkpoint, rows, pairs, newTokens, warmup, steps, seed: 1 }
  const measured = await duelOfSharing(job, options)
  report(
    `dpo-${workload.name}`,
    {
      benchmark: 'dpo',
      workload: workload.name,
      dtype,
      shape: { promptTokens: promptTokens(workload), pairs, newTokens, model },
      ...measured,
      difference: differenceOf(measured.ours.trials[0]?.log ?? {}, measured.peer.trials[0]?.log ?? {}),
    },
    options,
  )
}

/** Of each metric of the last step, as a part of its value. */
function differenceOf(ours, peer) {
  return Object.fromEntries(
    Object.entries(ours).map(([name, value]) => [name, Math.abs(value - peer[name]) / Math.abs(peer[name])]),
  )
}
