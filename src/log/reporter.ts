/** What listens to a run: a function for every event, and one for the end, which is called however the run ends. */
import type { TrainEvent } from '../train/events.js'

export interface Reporter {
  /** Called with every event in order; the run waits for a returned promise, and an error stops it. */
  onEvent(event: TrainEvent): void | Promise<void>
  /** Called once after the last event, also when the run failed. */
  close?(): void | Promise<void>
}
