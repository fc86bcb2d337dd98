/** `npm run study`: brings a clean clone up, compiles the study and runs it. Depends on nothing until that is done. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bootstrap } from '../../src/setup/bootstrap.mjs'
import { compile } from '../compile.mjs'
import { checkFlags } from './flags.mjs'

try {
  checkFlags(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`error: ${error.message}\n`)
  process.exit(2)
}
bootstrap()
const program = await compile(join(import.meta.dirname, 'main.ts'), 'study')
await import(pathToFileURL(program).href)
