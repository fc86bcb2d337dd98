/** Plans: what a run will need of memory and time, before it starts. */
export { type Plan, type PlanOptions, plan } from './plan.js'
export type { AlgorithmName } from './steps.js'
export { expectation, refusal, table } from './text.js'
