/** `npm run demo`: brings a clean clone up, compiles the demo and runs it. Depends on nothing until that is done. */
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { bootstrap } from '../../src/setup/bootstrap.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const root = resolve(here, '../..')
const start = performance.now()
bootstrap()
const { build } = await import('esbuild')
// Inside build/, so that `vsgrpo` is found as this package itself.
const outdir = join(root, 'build', 'examples')
const entry = process.argv[2] === 'make-base' ? 'make-base' : 'demo'
await build({
  entryPoints: [join(here, `${entry}.ts`)],
  outfile: join(outdir, `${entry}.mjs`),
  bundle: true,
  packages: 'external',
  // Without the repository's path mapping, which points vsgrpo at the sources.
  tsconfigRaw: {},
  platform: 'node',
  format: 'esm',
  logLevel: 'warning',
})
const { main } = await import(pathToFileURL(join(outdir, `${entry}.mjs`)).href)
const seconds = Math.round((performance.now() - start) / 100) / 10
process.exitCode = await main(process.argv.slice(entry === 'make-base' ? 3 : 2), { root, setupSeconds: seconds })
