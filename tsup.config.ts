// Three entry points as ESM, CommonJS and types, and the command line as ESM; the ESM ones share their chunks, so that
// an error class is the same class everywhere.
import { rmSync } from 'node:fs'
import { defineConfig } from 'tsup'

const entries = { index: 'src/index.ts', 'rewards/index': 'src/rewards/index.ts', 'data/index': 'src/data/index.ts' }
const shared = { target: 'node20', platform: 'node', splitting: true, treeshake: true, shims: true } as const

rmSync('dist', { recursive: true, force: true })

export default defineConfig([
  { ...shared, entry: { ...entries, 'cli/main': 'src/cli/main.ts' }, format: ['esm'], dts: { entry: entries } },
  { ...shared, entry: entries, format: ['cjs'], dts: true },
])
