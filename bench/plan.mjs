/**
 * How near `vsgrpo plan` comes: predicted peak memory and seconds of an optimizer step against those of the same steps,
 * measured, on workloads A to C. Aims: memory within 10 %, time within 30 %. The machine should be doing nothing else.
 */
import { stepFigures, stepJob } from './grpo-step.mjs'
import { build, dtypeOf, figures, identity, readOptions, report } from './rig/record.mjs'
import { median } from './rig/statistics.mjs'
import { runTrials } from './rig/trials.mjs'
import { oursWorker } from './rig/workers.mjs'
import { workloadOf } from './rig/workloads.mjs'

const aims = { memory: 0.1, time: 0.3 }

/** @param {readonly string[]} args */
export async function main(args) {
  const options = readOptions(args, { workload: { type: 'string' } })
  const names = options.workload === undefined ? ['A', 'B', 'C'] : [options.workload]
  build()
  const workloads = {}
  for (const name of names) workloads[name] = await compare(workloadOf(name), options)
  const errors = Object.values(workloads).map(({ error }) => error)
  const isWithin = errors.every(({ memory, time }) => Math.abs(memory) <= aims.memory && Math.abs(time) <= aims.time)
  report('plan', { benchmark: 'plan', dtype: dtypeOf(options), aims, isWithin, workloads }, options)
}

/** A plan before each trial of steps, both in processes of their own. */
async function compare(workload, { trials, threads, fresh, ...options }) {
  const job = await stepJob(workload, options)
  const run = oursWorker(threads)
  const sides = [
    { name: `plan ${workload.name}`, job: { ...job, task: 'plan' }, run },
    { name: `steps ${workload.name}`, job, run },
  ]
  const done = await runTrials(sides, { trials, fresh, identity: identity(threads) })
  const [planned = [], stepped = []] = sides.map(({ name }) => done[name])
  const predicted = predictionOf(planned)
  const { trials: _, ...measured } = stepFigures(figures(stepped))
  const error = {
    memory: predicted.peakBytes / measured.peakBytes - 1,
    time: predicted.secondsPerStep / measured.secondsPerStep - 1,
  }
  const percent = (part) => `${(100 * part).toFixed(1)} %`
  process.stderr.write(`${workload.name}: memory ${percent(error.memory)}, time ${percent(error.time)} off\n`)
  return { predicted, measured, error }
}

/** Memory is the same each time; seconds are the medians of what the trials predicted. */
function predictionOf(trials) {
  const [{ plan }] = trials
  const of = (name) => median(trials.map(({ plan: { time } }) => time[name]))
  const phases = ['generation', 'logps', 'backward', 'optimizer']
  return {
    peakBytes: plan.memory.peakBytes,
    parts: plan.memory.parts,
    secondsPerStep: of('secondsPerStep'),
    byPhase: Object.fromEntries(phases.map((name) => [name, of(name)])),
    secondsToPlan: median(trials.flatMap(({ seconds }) => seconds)),
  }
}
