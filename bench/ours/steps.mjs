/** Optimizer steps of a trainer, timed from the end of one to the end of the next. */

/**
 * The last `steps` of a run. The run must have more of them: the first has no step before it.
 * @param {AsyncIterable<import('vsgrpo').TrainEvent>} trainer
 * @param {object} options
 * @param {number} options.steps
 * @param {readonly string[]} options.log metrics of the last step to keep
 * @param {(metrics: Readonly<Record<string, number>>) => void} [options.check] throws where a step is not what is to be timed
 */
export async function timeSteps(trainer, { steps, log, check }) {
  const events = []
  for await (const event of trainer) {
    if (event.type !== 'step') continue
    check?.(event.metrics)
    events.push({ at: performance.now(), metrics: event.metrics })
  }
  const timed = events.slice(1).map(({ at, metrics }, i) => ({ seconds: (at - events[i].at) / 1000, metrics }))
  const kept = timed.slice(-steps)
  const last = kept.at(-1)?.metrics ?? {}
  return {
    seconds: kept.map(({ seconds }) => seconds),
    phases: kept.map(phasesOf),
    log: Object.fromEntries(log.map((name) => [name, last[name]])),
  }
}

/** Seconds by phase, as the trainer logs them, and what is left of the step. */
function phasesOf({ seconds, metrics }) {
  const logged = Object.entries(metrics).filter(([name]) => name.startsWith('profiling/'))
  const phases = Object.fromEntries(logged.map(([name, value]) => [name.slice('profiling/'.length), value]))
  return { ...phases, rest: seconds - Object.values(phases).reduce((sum, value) => sum + value, 0) }
}
