/** What the trainers have in common: everything is checked when one is made; nothing runs before its events are asked for. */
import { InputError } from '../errors.js'
import type { Metrics } from '../types.js'
import type { Sample } from './algorithm.js'
import { checkParts, checkTraining } from './checks.js'
import type { TrainingValues } from './config.js'
import type { TrainEvent } from './events.js'
import { finish, type Recipe, runSession, type TrainerOptions, type TrainOptions, type TrainResult } from './session.js'

/** `for await (const event of trainer)` trains too, and shows every event. */
export abstract class BaseTrainer<S extends Sample, V extends TrainingValues, O extends TrainerOptions>
  implements AsyncIterable<TrainEvent>
{
  protected constructor(
    protected readonly options: O,
    /** All options, resolved. */
    readonly args: V,
  ) {
    checkParts(options)
    checkTraining(args, options.evalDataset)
  }

  /** Trains to the end. An interrupted run resolves too, with reason 'aborted'; before its first step it rejects with an `AbortedError`. */
  train(options?: TrainOptions): Promise<TrainResult> {
    return finish(this.events(options))
  }

  /** Trains while its events are taken; leaving the loop stops the run. */
  events(options?: TrainOptions): AsyncGenerator<TrainEvent, void> {
    return runSession(this.options, this.recipe(), options)
  }

  [Symbol.asyncIterator](): AsyncGenerator<TrainEvent, void> {
    return this.events()
  }

  /** Measures on the evaluation dataset, under TRL's names with `eval_`. */
  abstract evaluate(signal?: AbortSignal): Promise<Metrics>

  /** Writes a whole Hugging Face folder, adapters merged. */
  saveModel(dir: string): Promise<void> {
    return this.options.model.save(dir)
  }

  protected abstract recipe(): Recipe<S>
}

export function noDataset(): never {
  throw new InputError('[evaluate] no evaluation dataset: give the trainer an evalDataset')
}
