/**
 * How a step's cost grows with the prompt's length, the group's size and the completions' length, one at a time around
 * 8 images of 308 x 308 (1,016 tokens), 8 completions, 32 tokens. `--peer trl` measures TRL at the same points.
 */
import { stepFigures, stepJob } from './grpo-step.mjs'
import { best, checkpointingWays, duel, ratioOf } from './rig/duel.mjs'
import { build, dtypeOf, readOptions, report } from './rig/record.mjs'
import { images, model, promptTokens } from './rig/workloads.mjs'

const centre = { images: 8, size: 308, group: 8, newTokens: 32 }
const axes = { images: [1, 2, 4, 8, 16], group: [2, 4, 8, 16, 32], newTokens: [8, 32, 128, 256] }

/** @param {readonly string[]} args */
export async function main(args) {
  const options = readOptions(args, { peer: { type: 'string', default: 'none' } })
  build()
  const curves = {}
  for (const [axis, values] of Object.entries(axes)) {
    curves[axis] = []
    for (const value of values) curves[axis].push(await point({ ...centre, [axis]: value }, options))
  }
  const dtype = dtypeOf(options)
  report('scaling', { benchmark: 'scaling', dtype, shape: { ...centre, model }, curves }, options)
}

async function point(shape, options) {
  process.stderr.write(`${shape.images} images, group ${shape.group}, ${shape.newTokens} new tokens\n`)
  const workload = images('scaling', shape)
  const job = await stepJob(workload, options)
  const jobs = checkpointingWays(options.peer, ['trl'], { ...job, autocast: false })
  const { ours, peer } = await duel({ ours: job, peer: jobs }, options)
  const fastest = peer && best(peer, 'seconds')
  return {
    ...shape,
    promptTokens: promptTokens(workload),
    ours: stepFigures(ours),
    ...(fastest ? { peer: { name: 'trl', ...stepFigures(fastest) }, ...ratioOf(fastest, ours) } : {}),
  }
}
