/** How a model is loaded and run, as far as memory and time depend on it. */
import type { DType, LoadOptions, StateDType } from '../native.js'
import type { Budgets } from './workload.js'

export interface Setup extends Budgets {
  readonly load: LoadOptions
  /** A second copy of the weights, frozen. */
  readonly reference: boolean
  /** Type of the optimizer's moments. */
  readonly optimStateDtype: StateDType
  readonly gradDtype: DType
}
