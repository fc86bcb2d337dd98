/** The program: `run.mjs` compiles it, and it starts itself once more for every cell. */
import { fileURLToPath } from 'node:url'
import { main } from './study.js'

try {
  process.exitCode = await main(process.argv.slice(2), fileURLToPath(import.meta.url))
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
  // parseArgs and the options' own checks throw TypeErrors.
  process.exitCode = error instanceof TypeError ? 2 : 1
}
