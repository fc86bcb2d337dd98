/** How a model is loaded and run, as far as memory and time depend on it. */
import type { DType, LoadOptions, StateDType } from '../native.js'
import type { Budgets } from './workload.js'

export interface Setup extends Budgets {
  readonly load: LoadOptions
  /** What is kept to score by, frozen: a second copy of the weights, or of the adapters that the policy began with. */
  readonly reference: 'none' | 'copy' | 'adapters'
  /** Type of the optimizer's moments. */
  readonly optimStateDtype: StateDType
  readonly gradDtype: DType
}
