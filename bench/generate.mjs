/**
 * Tokens per second of sampling, vision tower and prompt included, against transformers' `generate` in bfloat16 or float32: a
 * group on workload C's prompt (1,016 tokens, 14 completions of 128 tokens), or one completion of it, where nothing can be
 * shared.
 */
import { duel, isPeer, ratioOf } from './rig/duel.mjs'
import { checkpointDir, rowsFile } from './rig/inputs.mjs'
import { build, dtypeOf, readOptions, report } from './rig/record.mjs'
import { model, promptTokens, workloadOf } from './rig/workloads.mjs'

/** @param {readonly string[]} args */
export async function main(args) {
  const own = {
    batch: { type: 'string', default: 'group' },
    peer: { type: 'string', default: 'transformers' },
  }
  const options = readOptions(args, own)
  const workload = workloadOf('C')
  const group = groupOf(options.batch, workload)
  build()
  const checkpoint = await checkpointDir(model)
  const rows = await rowsFile(workload, 1)
  const { newTokens } = workload
  const { warmup, steps } = options
  const dtype = dtypeOf(options)
  const job = { task: 'generate', dtype, checkpoint, rows, group, newTokens, warmup, steps, seed: 1 }
  const hasPeer = isPeer(options.peer, ['transformers'])
  const { ours, peer } = await duel({ ours: job, ...(hasPeer ? { peer: { transformers: job } } : {}) }, options)
  const rate = ({ seconds, ...others }) => ({ tokensPerSecond: (group * newTokens) / seconds, seconds, ...others })
  report(
    `generate-${options.batch}`,
    {
      benchmark: 'generate',
      workload: `C, ${options.batch}`,
      dtype,
      shape: { promptTokens: promptTokens(workload), group, newTokens, model },
      ours: rate(ours),
      ...(peer
        ? { peer: { name: 'transformers', ...rate(peer.transformers) }, ...ratioOf(peer.transformers, ours) }
        : {}),
    },
    options,
  )
}

function groupOf(batch, { group }) {
  if (batch === 'group') return group
  if (batch === 'one') return 1
  throw new Error(`[--batch] expected group or one, got '${batch}'`)
}
