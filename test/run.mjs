/**
 * `npm test`: brings a clean clone up, then runs every stage in turn and stops at the first that fails. Depends on nothing.
 * `npm test -- unit native` runs the named stages only. The last line is "N passed, N failed".
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bootstrap } from '../src/setup/bootstrap.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const results = join(root, 'build', 'test-results')
const bin = (path) => join(root, 'node_modules', path)

const stages = [
  { name: 'types', command: [process.execPath, bin('typescript/bin/tsc'), '--noEmit'], count: asOne },
  { name: 'lint', command: [bin('.bin/biome'), 'check', '--error-on-warnings'], count: asOne },
  vitest('unit'),
  { name: 'native', command: [join(root, 'build', 'vsgrpo_tests')], count: fromLastLine },
  {
    name: 'kernels',
    command: [process.execPath, join(root, 'test/native/kernels/check-build.mjs')],
    count: fromLastLine,
  },
  vitest('parity'),
  vitest('train'),
  { name: 'package', command: [process.execPath, join(root, 'test/package/run.mjs')], count: fromLastLine },
]

function vitest(project) {
  const file = join(results, `${project}.json`)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const command = [process.execPath, bin('vitest/vitest.mjs'), 'run', '--project', project, ...reporters]
  return { name: project, command, count: () => fromJson(file), before: () => rmSync(file, { force: true }) }
}

/** A check without tests of its own counts as one. */
function asOne(_output, code) {
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 }
}

function fromJson(file) {
  if (!existsSync(file)) return { passed: 0, failed: 0, skipped: 0 }
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(file, 'utf8'))
  return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests }
}

/** "name: 12 passed, 0 failed, 1 skipped" at the end of the output. */
function fromLastLine(output) {
  const found = [...output.matchAll(/(\d+) passed, (\d+) failed(?:, (\d+) skipped)?/g)].at(-1)
  return { passed: Number(found?.[1] ?? 0), failed: Number(found?.[2] ?? 0), skipped: Number(found?.[3] ?? 0) }
}

/** Shows what the program prints, and keeps it. */
function run([command, ...args]) {
  return new Promise((done) => {
    let output = ''
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    const take = (chunk) => {
      output += chunk
      process.stdout.write(chunk)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', (error) => done({ code: 127, output: `${output}${error.message}\n` }))
    child.on('close', (code) => done({ code: code ?? 128, output }))
  })
}

/** Counts of one stage; a stage that fails without a failed test of its own counts as one failure. */
async function runStage(stage) {
  console.log(`\n=== ${stage.name}`)
  const start = performance.now()
  stage.before?.()
  const { code, output } = await run(stage.command)
  const counts = stage.count(output, code)
  if (code !== 0) counts.failed = Math.max(1, counts.failed)
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  const skipped = counts.skipped ? `, ${counts.skipped} skipped` : ''
  console.log(`=== ${stage.name}: ${counts.passed} passed, ${counts.failed} failed${skipped} (${seconds} s)`)
  return counts
}

const asked = process.argv.slice(2)
const unknown = asked.find((name) => !stages.some((stage) => stage.name === name))
if (unknown) {
  console.error(`error: unknown stage '${unknown}'; there are ${stages.map((stage) => stage.name).join(', ')}`)
  process.exit(2)
}

const start = performance.now()
bootstrap({ tests: true })
mkdirSync(results, { recursive: true })
const total = { passed: 0, failed: 0, skipped: 0 }
for (const stage of stages.filter(({ name }) => asked.length === 0 || asked.includes(name))) {
  const counts = await runStage(stage)
  for (const key of Object.keys(total)) total[key] += counts[key]
  if (total.failed > 0) break
}
const minutes = ((performance.now() - start) / 60_000).toFixed(1)
console.log(
  `\n${minutes} minutes in all${total.skipped ? `; ${total.skipped} skipped, each with its reason above` : ''}`,
)
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0
