/** `npm run study`: brings a clean clone up, compiles the study and runs it. Depends on nothing until that is done. */
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { bootstrap } from '../../src/setup/bootstrap.mjs'

const here = dirname(fileURLToPath(import.meta.url))
// Inside build/, so that `vsgrpo` is found as this package itself.
const program = join(resolve(here, '../..'), 'build/examples/study.mjs')
bootstrap()
const { build } = await import('esbuild')
await build({
  entryPoints: [join(here, 'main.ts')],
  outfile: program,
  bundle: true,
  packages: 'external',
  // Without the repository's path mapping, which points vsgrpo at the sources.
  tsconfigRaw: {},
  platform: 'node',
  format: 'esm',
  logLevel: 'warning',
})
await import(pathToFileURL(program).href)
