/** The README's first program is examples/grpo.ts, and it runs. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import { afterAll, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const source = readFileSync(join(root, 'examples/grpo.ts'), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'vsgrpo-example-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('stands in the README as it is', () => {
  expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(source)
})

it('trains on rooms and saves a model', { timeout: 240_000 }, async () => {
  const cli = join(root, 'dist/cli/main.js')
  const node = (...args: string[]) => spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  const rooms = node(cli, 'rooms', '--output', 'rooms', '--recipe', 'demo', '--count', '40')
  expect(rooms.stderr).not.toContain('error')
  symlinkSync(join(root, 'examples'), join(folder, 'examples'))
  // Inside the package, where `vsgrpo` is this package itself.
  const outfile = join(root, 'build/examples/grpo.mjs')
  await build({
    entryPoints: [join(root, 'examples/grpo.ts')],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    tsconfigRaw: {},
  })
  const run = node(outfile)
  expect(run.stderr).toContain('finished at step 20')
  expect(run.status).toBe(0)
  expect(existsSync(join(folder, 'runs/first/model/model.safetensors'))).toBe(true)
  expect(existsSync(join(folder, 'runs/first/metrics.jsonl'))).toBe(true)
})
