/** What options need besides values that are right in themselves: a dataset, a place, another kind of model. */
import { InputError } from '../errors.js'
import type { TrainingValues } from './config.js'
import { scheduleFault } from './schedule.js'

/** Throws an InputError for training options that contradict each other, or lack what they need. */
export function checkTraining(args: TrainingValues, evalDataset: unknown): void {
  checkBestModel(args, evalDataset)
  const fault = scheduleFault(args)
  if (fault !== undefined) throw wrong(`lrSchedulerKwargs: ${fault}`)
}

/** Comparing checkpoints needs evaluations to compare them by, and a place to keep them. */
function checkBestModel(args: TrainingValues, evalDataset: unknown): void {
  if (args.loadBestModelAtEnd && !args.metricForBestModel) {
    throw wrong("loadBestModelAtEnd: needs metricForBestModel, for example 'eval_reward'")
  }
  if (!args.metricForBestModel || (evalDataset && args.evalSteps && args.outputDir && args.saveStrategy !== 'no'))
    return
  throw wrong('metricForBestModel: needs evalDataset, evalSteps, outputDir and saveStrategy')
}

/** A reference that is the policy's own base cannot move. */
export function checkSyncRefModel({ syncRefModel }: { readonly syncRefModel: boolean }, lora: unknown): void {
  if (syncRefModel && lora) {
    throw wrong('syncRefModel: expected a model without lora, whose reference is its frozen base')
  }
}

function wrong(message: string): InputError {
  return new InputError(`[args] ${message}`, { code: 'ERR_VSGRPO_CONFIG' })
}
