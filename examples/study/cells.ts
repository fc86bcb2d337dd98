/** The grid: which cells there are, what they are called and in what order they run. Pure. */
import { type Mode, modes } from './modes.js'

/**
 * One trained model with its evaluations. `examples`: every method sees the same questions once, in as many steps.
 * `compute`: as many steps as the yardstick's arithmetic pays for.
 */
export interface Cell {
  readonly name: string
  readonly method: 'base' | 'sft' | 'dpo' | 'grpo'
  readonly mode: Mode
  /** KL weight; GRPO only. */
  readonly beta?: number
  readonly budget: 'examples' | 'compute'
  readonly seed: number
  /** Only while settings are chosen: another learning rate, a third of the steps, scored on development rooms. */
  readonly learningRate?: number
}

/** The paper's run, whose arithmetic is the compute budget of all others: vanilla prompts, its KL weight. */
export const yardstick = { method: 'grpo', mode: 'vanilla', beta: 1e-4 } as const

export const betas = [0, 1e-4, 1e-2] as const

/** Base, SFT, DPO and GRPO without and with the paper's KL penalty; vanilla prompts. */
export function smallForm(seeds: number): Cell[] {
  return grid(seeds, ['vanilla'], [0, yardstick.beta])
}

/** All modes and KL weights. SFT and DPO are vanilla only: the right thoughts of other modes are not known. */
export function fullGrid(seeds: number): Cell[] {
  return grid(seeds, modes, betas)
}

/** Short runs on development rooms, from which the learning rates were chosen; every method gets as many. */
export function tuningGrid(): Cell[] {
  const tried = {
    sft: [3e-5, 1e-4, 3e-4, 1e-3],
    dpo: [3e-6, 1e-5, 3e-5, 1e-4],
    grpo: [3e-5, 1e-4, 3e-4, 1e-3],
  } as const
  return (['sft', 'dpo', 'grpo'] as const).flatMap((method) =>
    tried[method].map((learningRate) => {
      const beta = method === 'grpo' ? yardstick.beta : undefined
      const cell = named({ method, mode: 'vanilla', beta, budget: 'examples', seed: 100 })
      return { ...cell, name: `tune-${method}-${learningRate}`, learningRate }
    }),
  )
}

/** The run with the same seed whose arithmetic is the budget. */
export function yardstickOf({ seed }: Cell): Cell {
  return named({ ...yardstick, budget: 'examples', seed })
}

/** The same cell at equal numbers of examples, which tells what a step costs. */
export function siblingOf({ method, mode, beta, seed }: Cell): Cell {
  return named({ method, mode, beta, budget: 'examples', seed })
}

/** Cells that must be finished before this one can run. */
export function needs(cell: Cell): Cell[] {
  return cell.budget === 'compute' ? [yardstickOf(cell), siblingOf(cell)] : []
}

/** Whether the cell is the yardstick, which stands in both tables. */
export function isYardstick({ method, mode, beta }: Omit<Cell, 'name'>): boolean {
  return method === yardstick.method && mode === yardstick.mode && beta === yardstick.beta
}

/** Seed by seed, so that an interrupted study has whole comparisons; what others need comes first. */
function grid(seeds: number, gridModes: readonly Mode[], gridBetas: readonly number[]): Cell[] {
  const cells = gridModes.map((mode) => named({ method: 'base', mode, budget: 'examples', seed: 0 }))
  for (let seed = 0; seed < seeds; seed++) {
    const trained = [
      ...gridModes.flatMap((mode) => gridBetas.map((beta) => ({ method: 'grpo', mode, beta }) as const)),
      ...(['sft', 'dpo'] as const).map((method) => ({ method, mode: 'vanilla' }) as const),
    ]
    cells.push(...trained.map((one) => named({ ...one, budget: 'examples', seed })))
    const others = trained.map((one) => named({ ...one, budget: 'compute', seed })).filter((cell) => !isYardstick(cell))
    cells.push(...others)
  }
  return cells
}

function named(cell: Omit<Cell, 'name'>): Cell {
  const { method, mode, beta, budget, seed } = cell
  if (method === 'base') return { ...cell, name: `base-${mode}` }
  const what = beta === undefined ? `${method}-${mode}` : `${method}-${mode}-beta${beta}`
  return { ...cell, name: `${what}-${budget}-seed${seed}` }
}
