/**
 * How long an optimizer step of GRPO takes, sampling, reference policy, rewards and AdamW included, full
 * fine-tuning, beta 0.04, in bfloat16 or float32: ours against TRL's GRPOTrainer on the same checkpoint and images. Workload D,
 * a video, which TRL does not take, is measured against ourselves with nothing shared.
 */
import { best, checkpointingWays, duel, duelOfSharing, ratioOf } from './rig/duel.mjs'
import { checkpointDir, rowsFile } from './rig/inputs.mjs'
import { build, dtypeOf, readOptions, report } from './rig/record.mjs'
import { model, promptTokens, workloadOf } from './rig/workloads.mjs'

/** @param {readonly string[]} args */
export async function main(args) {
  const own = { workload: { type: 'string' }, peer: { type: 'string', default: 'trl' } }
  const options = readOptions(args, own)
  const workload = workloadOf(options.workload ?? '')
  build()
  const measured = workload.frames > 0 ? await sharing(workload, options) : await against(workload, options)
  const dtype = dtypeOf(options)
  const result = { benchmark: 'grpo-step', workload: workload.name, dtype, shape: shapeOf(workload), ...measured }
  report(`grpo-step-${workload.name}`, result, options)
}

/** @param {import('./rig/workloads.mjs').Workload} workload */
export function shapeOf(workload) {
  const { group, newTokens, questions } = workload
  return { promptTokens: promptTokens(workload), questions: questions.length, group, newTokens, model }
}

/**
 * What both workers are told about a workload.
 * @param {import('./rig/workloads.mjs').Workload} workload
 * @param {{ warmup: number, steps: number, dtype: string }} options
 */
export async function stepJob(workload, { warmup, steps, dtype }) {
  const checkpoint = await checkpointDir(model)
  const rows = await rowsFile(workload, warmup + steps)
  const { group, newTokens } = workload
  return {
    task: 'grpo-step',
    dtype: dtypeOf({ dtype }),
    checkpoint,
    rows,
    questions: workload.questions.length,
    group,
    newTokens,
    warmup,
    steps,
    seed: 1,
  }
}

/** Names as results have them. */
export function stepFigures({ seconds, ...others }) {
  return { secondsPerStep: seconds, ...others }
}

async function against(workload, options) {
  const job = await stepJob(workload, options)
  // Weights without autocast on top: TRL's faster way on a CPU.
  const peerJobs = checkpointingWays(options.peer, ['trl'], { ...job, autocast: false })
  const lean = { ...job, lean: true }
  const { ours, lean: leanOurs, peer } = await duel({ ours: job, lean, peer: peerJobs }, options)
  if (!peer) return { ours: stepFigures(ours), oursLean: stepFigures(leanOurs) }
  const fastest = best(peer, 'seconds')
  const leanest = best(peer, 'peakBytes')
  return {
    ours: stepFigures(ours),
    oursLean: stepFigures(leanOurs),
    // Each figure is the better one of the two ways.
    peer: { name: 'trl', ...stepFigures(fastest), peakBytes: leanest.peakBytes, peakBytesWay: leanest.way },
    ...ratioOf(fastest, ours),
    memoryRatio: leanest.peakBytes / ours.peakBytes,
    leanMemoryRatio: leanest.peakBytes / leanOurs.peakBytes,
    peerWays: Object.fromEntries(Object.entries(peer).map(([way, its]) => [way, stepFigures(its)])),
  }
}

async function sharing(workload, options) {
  const { ours, peer, ...ratios } = await duelOfSharing(await stepJob(workload, options), options)
  return { ours: stepFigures(ours), peer: stepFigures(peer), ...ratios }
}
