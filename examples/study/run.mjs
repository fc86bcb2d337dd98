/** `npm run study`: brings a clean clone up, compiles the study and runs it. Depends on nothing until that is done. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bootstrap } from '../../src/setup/bootstrap.mjs'
import { compile } from '../compile.mjs'

bootstrap()
const program = await compile(join(import.meta.dirname, 'main.ts'), 'study')
await import(pathToFileURL(program).href)
