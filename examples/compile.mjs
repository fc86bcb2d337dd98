/** Compiles an example that is written in TypeScript; for its `run.mjs`, after set-up has installed what that takes. */
import { basename, join } from 'node:path'

/**
 * Bundles `source` into build/examples, where `vsgrpo` is found as this package itself. Gives the program's path.
 * @param {string} source
 * @param {string} name of the program
 */
export async function compile(source, name = basename(source, '.ts')) {
  const { build } = await import('esbuild')
  const outfile = join(import.meta.dirname, '../build/examples', `${name}.mjs`)
  await build({
    entryPoints: [source],
    outfile,
    bundle: true,
    packages: 'external',
    // Without the repository's path mapping, which points vsgrpo at the sources.
    tsconfigRaw: {},
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
  })
  return outfile
}
