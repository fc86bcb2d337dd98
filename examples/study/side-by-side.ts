/** Which cell runs when. Pure but for what `run` does. */
import { type Cell, needs } from './cells.js'

/**
 * Runs the cells, at most `jobs` at a time and none before those that it needs. After a failure no further one starts.
 * Resolves when none runs any more: to the first exit code that is not 0, or 0.
 */
export async function sideBySide(
  cells: readonly Cell[],
  jobs: number,
  run: (cell: Cell) => Promise<number>,
): Promise<number> {
  const waiting = [...cells]
  const unfinished = new Set(cells.map(({ name }) => name))
  const running = new Map<Cell, Promise<void>>()
  let failure = 0
  const start = async (cell: Cell) => {
    const code = await run(cell)
    running.delete(cell)
    if (code === 0) unfinished.delete(cell.name)
    failure ||= code
  }
  const isReady = (cell: Cell) => needs(cell).every(({ name }) => !unfinished.has(name))
  for (;;) {
    while (failure === 0 && running.size < jobs) {
      const next = waiting.findIndex(isReady)
      if (next < 0) break
      for (const cell of waiting.splice(next, 1)) running.set(cell, start(cell))
    }
    if (running.size === 0) return failure
    await Promise.race(running.values())
  }
}
