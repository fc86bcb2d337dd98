/** `npm run demo`: brings a clean clone up, compiles the demo and runs it. Depends on nothing until that is done. */
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bootstrap } from '../../src/setup/bootstrap.mjs'
import { compile } from '../compile.mjs'

const start = performance.now()
bootstrap()
const root = resolve(import.meta.dirname, '../..')
const entry = process.argv[2] === 'make-base' ? 'make-base' : 'demo'
const program = await compile(join(import.meta.dirname, `${entry}.ts`))
const { main } = await import(pathToFileURL(program).href)
const seconds = Math.round((performance.now() - start) / 100) / 10
process.exitCode = await main(process.argv.slice(entry === 'make-base' ? 3 : 2), { root, setupSeconds: seconds })
