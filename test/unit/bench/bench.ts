/** The benchmarks are plain modules; their tests say what they take from them. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../../bench')

/** A module of bench/ by its path there; the caller names the members that it uses. */
export async function bench<T>(path: string): Promise<T> {
  const module: T = await import(/* @vite-ignore */ join(folder, path))
  return module
}
