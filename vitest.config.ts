// Three suites: `unit` needs no addon; `train` and `parity` load it, so they run one file at a time in processes.
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** Examples import the package by its name; under test that is the source, not an older build. */
const source = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url))
const alias = [
  { find: /^vsgrpo$/, replacement: source('index.ts') },
  { find: /^vsgrpo\/(rewards|data)$/, replacement: source('$1/index.ts') },
]

const alone = { pool: 'forks', fileParallelism: false, testTimeout: 300_000, hookTimeout: 120_000 } as const

export default defineConfig({
  test: {
    passWithNoTests: true,
    globalSetup: 'test/temporary-folder.ts',
    projects: [
      { resolve: { alias }, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 30_000 } },
      { resolve: { alias }, test: { name: 'train', include: ['test/train/**/*.test.ts'], ...alone } },
      { resolve: { alias }, test: { name: 'parity', include: ['test/parity/**/*.test.ts'], ...alone } },
    ],
  },
})
