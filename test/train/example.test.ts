/** The README's first program is examples/grpo.ts; it and the other examples run. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readRows } from './cli.js'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'vsgrpo-example-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const node = (...args: string[]) => spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
const sourceOf = (name: string) => readFileSync(join(root, 'examples', `${name}.ts`), 'utf8')

beforeAll(() => {
  const cli = join(root, 'dist/cli/main.js')
  const rooms = node(cli, 'rooms', '--output', 'rooms', '--recipe', 'demo', '--count', '40')
  expect(rooms.stderr).not.toContain('error')
  symlinkSync(join(root, 'examples'), join(folder, 'examples'))
})

/** Runs an example for so many steps. */
async function run(name: string, steps: number) {
  const contents = sourceOf(name).replace(/maxSteps: \d+/, `maxSteps: ${steps}`)
  // Inside the package, where `vsgrpo` is this package itself.
  const outfile = join(root, 'build/examples', `${name}.mjs`)
  await build({
    stdin: { contents, loader: 'ts', resolveDir: join(root, 'examples') },
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    tsconfigRaw: {},
  })
  return node(outfile)
}

it('stands in the README as it is', () => {
  expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(sourceOf('grpo'))
})

it.each([
  ['grpo', 'first', 20, ['reward', 'kl']],
  ['custom-reward', 'custom-reward', 4, ['rewards/close/mean', 'rewards/agreed/mean']],
  ['custom-loss', 'custom-loss', 4, ['loss', 'bounded']],
])(
  'examples/%s.ts trains on rooms and saves a model',
  { timeout: 240_000 },
  async (name, folderName, steps, metrics) => {
    const { stderr, status } = await run(name, steps)
    expect(stderr).toContain(`finished at step ${steps}`)
    expect(status).toBe(0)
    const runFolder = join(folder, 'runs', folderName)
    expect(existsSync(join(runFolder, 'model/model.safetensors'))).toBe(true)
    const rows = readRows<Record<string, number>>(join(runFolder, 'metrics.jsonl'))
    expect(rows).toHaveLength(steps)
    // A reward that does not apply to any question of a step has no row of its own.
    for (const metric of metrics)
      expect(
        rows.some((row) => Number.isFinite(row[metric])),
        metric,
      ).toBe(true)
    expect(new Set(rows.map(({ grad_norm }) => grad_norm)).size).toBeGreaterThan(1)
  },
)
