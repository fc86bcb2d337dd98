/** The study at its smallest: cells run in processes of their own, are kept, and come out the same when run again. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { CellResult } from '../../examples/study/result.js'

const root = resolve(import.meta.dirname, '../..')
const output = mkdtempSync(join(tmpdir(), 'vsgrpo-study-'))
afterAll(() => rmSync(output, { recursive: true, force: true }))

const smallest = ['--smoke', '--seeds', '1', '--output', output]
const study = (...args: string[]) => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, ...smallest, ...args], { encoding: 'utf8' })
  return { stdout, stderr, status }
}
const resultOf = (cell: string): CellResult => JSON.parse(readFileSync(join(output, cell, 'result.json'), 'utf8'))

/** As `npm run study` does. */
const launcher: { compile(source: string, name: string): Promise<string> } = await import(
  new URL('../../examples/compile.mjs', import.meta.url).href
)
let program = ''
beforeAll(async () => {
  program = await launcher.compile(join(root, 'examples/study/main.ts'), 'study')
})

const cells = ['base-vanilla', 'sft-vanilla-compute', 'dpo-vanilla-examples']

it('runs the cells that are asked for and those that they need, and reports on them', { timeout: 240_000 }, () => {
  const { stderr, status } = study('--cells', cells.join())
  expect(stderr).toContain('[5/5] sft-vanilla-compute-seed0')
  expect(status).toBe(0)
  const [yardstick, sft] = ['grpo-vanilla-beta0.0001-examples-seed0', 'sft-vanilla-compute-seed0'].map(resultOf)
  // Whole steps: the budgets agree to half a step.
  const step = (sft?.operations ?? 0) / (sft?.steps ?? 1)
  expect(Math.abs((yardstick?.operations ?? 0) - (sft?.operations ?? 0))).toBeLessThanOrEqual(0.51 * step)
  expect(sft?.steps).toBeGreaterThan(yardstick?.steps ?? 0)
  expect(Object.keys(yardstick?.curves ?? {})).toEqual(
    expect.arrayContaining(['Reward', 'Format rate', 'KL to the base, nats per token', 'Entropy, nats per token']),
  )
  expect(yardstick?.evaluations.map(({ show }) => show)).toEqual(['frames', 'grey'])
  expect(yardstick?.evaluations[0]?.points).toMatch(/^[0-9X]{28}$/)
  expect(existsSync(join(output, 'sft-vanilla-compute-seed0/checkpoints'))).toBe(false)
  expect(readFileSync(join(output, 'report.md'), 'utf8')).toContain('| DPO |')
})

it('keeps what is finished, and makes what is missing again, the same', { timeout: 240_000 }, () => {
  const name = 'dpo-vanilla-examples-seed0'
  const before = resultOf(name)
  rmSync(join(output, name), { recursive: true })
  const { stderr, status } = study('--cells', cells.join())
  expect(status).toBe(0)
  expect(stderr).toContain('4 of 5 cells are finished already')
  expect(stderr).toContain(`[1/1] ${name}`)
  const { evaluations, operations, samples } = resultOf(name)
  expect({ evaluations, operations, samples }).toEqual({
    evaluations: before.evaluations,
    operations: before.operations,
    samples: before.samples,
  })
})

it('goes on with a cell that was killed, to the same end', { timeout: 240_000 }, async () => {
  const name = 'grpo-vanilla-beta0.0001-examples-seed0'
  const { evaluations, curves } = resultOf(name)
  const folder = join(output, name)
  rmSync(folder, { recursive: true })
  const env = { ...process.env, OMP_NUM_THREADS: '1' }
  const child = spawn(process.execPath, [program, 'cell', name, ...smallest], { stdio: 'ignore', env })
  const exited = new Promise((done) => child.on('exit', done))
  while (!existsSync(join(folder, 'checkpoints/step-1')) && child.exitCode === null) await setTimeout(2)
  child.kill('SIGKILL')
  await exited
  expect(existsSync(join(folder, 'result.json'))).toBe(false)
  const { stderr, status } = study('--cells', 'grpo-vanilla-beta0.0001')
  expect(status).toBe(0)
  expect(stderr).toContain(`[1/1] ${name}`)
  expect(JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')).sessions).toBe(2)
  expect(resultOf(name).evaluations).toEqual(evaluations)
  expect(resultOf(name).curves).toEqual(curves)
})

it('refuses cells of other settings, names that do not exist and unknown options', () => {
  const { stderr, status } = spawnOther('--cells', 'base-vanilla')
  expect(status).toBe(1)
  expect(stderr).toContain('was run with other settings; remove it or give another --output')
  expect(study('--cells', 'sfd')).toMatchObject({
    status: 2,
    stderr: "error: --cells: no cell has 'sfd' in its name; --list shows all\n",
  })
  expect(study('--ful').status).toBe(2)
  expect(study('--full', '--list').stdout.trim().split('\n')).toHaveLength(3 + 11 + 10)
})

/** The whole size into the folder of the smallest. */
function spawnOther(...args: string[]) {
  const { stderr, status } = spawnSync(process.execPath, [program, '--output', output, ...args], { encoding: 'utf8' })
  return { stderr, status }
}
