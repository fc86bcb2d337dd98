/** What options need besides values that are right in themselves: a dataset, a place, another kind of model. */
import { InputError } from '../errors.js'
import { isObject, shown } from '../json.js'
import { Policy } from '../policy.js'
import type { TrainingValues } from './config.js'
import { wrong } from './fields.js'
import { scheduleFault } from './schedule.js'
import type { TrainerOptions } from './session.js'

/** What untyped code may hand over in place of a model, a dataset or reporters. */
export function checkParts({ model, trainDataset, evalDataset, reporters, callbacks }: TrainerOptions): void {
  if (!(model instanceof Policy)) throw part('model', 'what loadModel gives: await loadModel(folder)', model)
  checkDataset('trainDataset', trainDataset)
  if (evalDataset !== undefined) checkDataset('evalDataset', evalDataset)
  checkList('reporters', reporters)
  checkList('callbacks', callbacks)
}

function checkDataset(name: string, value: unknown): void {
  if (isObject(value) && typeof value.length === 'number' && typeof value.get === 'function') return
  throw part(name, 'a dataset: jsonl(file), openDataset(path), fromArray(rows)', value)
}

function checkList(name: string, value: unknown): void {
  if (value !== undefined && !Array.isArray(value)) throw part(name, 'a list', value)
}

/** Rewards as the trainer takes them: functions, one or several. */
export function checkRewards(value: unknown): void {
  const all: unknown[] = Array.isArray(value) ? value : [value]
  const foreign = all.findIndex((reward) => typeof reward !== 'function')
  if (foreign >= 0) throw part('rewardFuncs', 'functions, such as accuracyReward()', all[foreign])
}

function part(name: string, expected: string, got: unknown): InputError {
  const kind = typeof got === 'object' && got !== null && !Array.isArray(got) ? 'another object' : shown(got)
  return new InputError(`[trainer] ${name}: expected ${expected}; got ${kind}`, { code: 'ERR_VSGRPO_CONFIG' })
}

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

/** A reference on the policy's own base cannot move. */
export function checkSyncRefModel({ syncRefModel }: { readonly syncRefModel: boolean }, lora: unknown): void {
  if (syncRefModel && lora) {
    throw wrong('syncRefModel: expected a model without lora, whose reference stays as it is')
  }
}
