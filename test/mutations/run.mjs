/**
 * Shows that the tests catch deliberate mistakes: copies the tree, puts one mistake of mutations.json in at a time, rebuilds
 * what it touches, and expects the named test to turn red.
 *
 *   node test/mutations/run.mjs [--tree DIR] [part of a name …]
 *
 * --tree keeps the copy and its build for the next run. A run of all mutations writes results.json.
 */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const root = resolve(here, '../..')
const { values, positionals } = parseArgs({ options: { tree: { type: 'string' } }, allowPositionals: true })
const tree = values.tree ? resolve(values.tree) : mkdtempSync(join(tmpdir(), 'vsgrpo-mutations-'))
const build = join(tree, 'build', 'tests')
const all = JSON.parse(readFileSync(join(here, 'mutations.json'), 'utf8'))

function run(command, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: tree,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: 900_000,
    ...options,
  })
  return { ok: status === 0, output: `${stdout}${stderr}` }
}

/** Git's files, untracked ones too; what is equal stays untouched, so that it is not built again. */
function copyTree() {
  const { output } = run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  for (const file of output.split('\0')) {
    if (file === '' || !existsSync(join(root, file))) continue
    const [from, to] = [join(root, file), join(tree, file)]
    const bytes = readFileSync(from)
    if (existsSync(to) && readFileSync(to).equals(bytes)) continue
    mkdirSync(dirname(to), { recursive: true })
    writeFileSync(to, bytes)
  }
  const modules = join(tree, 'node_modules')
  if (!existsSync(modules)) symlinkSync(join(root, 'node_modules'), modules)
}

/** VSGRPO_LIBTORCH, or the one that `vsgrpo setup` fetched. */
function libtorch() {
  if (process.env.VSGRPO_LIBTORCH) return process.env.VSGRPO_LIBTORCH
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'vsgrpo')
  const found = existsSync(cache) && readdirSync(cache).find((name) => name.startsWith('libtorch-'))
  if (!found) throw new Error('no libtorch: run `npx vsgrpo setup`, or set VSGRPO_LIBTORCH')
  return join(cache, found)
}

function configure() {
  const options = [`-DVSGRPO_LIBTORCH=${libtorch()}`, '-DVSGRPO_ADDON=OFF', '-DVSGRPO_TESTS=ON']
  const generator = run('ninja', ['--version']).ok ? ['-G', 'Ninja'] : []
  const { ok, output } = run('cmake', [
    ...(existsSync(join(build, 'CMakeCache.txt')) ? [] : generator),
    '-S',
    tree,
    '-B',
    build,
    ...options,
  ])
  if (!ok) throw new Error(output)
}

/** 'red' or 'green', or why it is neither. */
function outcomeOf(test) {
  return test.startsWith('native: ') ? runNative(test.slice('native: '.length)) : runUnit(test)
}

function runNative(name) {
  const built = run('cmake', ['--build', build, '-j', process.env.VSGRPO_JOBS ?? '2'])
  if (!built.ok) return `does not compile: ${/error: .*/.exec(built.output)?.[0] ?? built.output.slice(-300)}`
  const { output } = run(join(build, 'vsgrpo_tests'), [name])
  const [, passed, failed] = /native: (\d+) passed, (\d+) failed/.exec(output) ?? []
  if (passed === undefined) return 'crashed'
  if (passed === '0' && failed === '0') return 'no such test'
  return failed === '0' ? 'green' : 'red'
}

function runUnit(file) {
  const report = join(tree, 'build', 'mutation.json')
  rmSync(report, { force: true })
  const reporters = ['--reporter=json', `--outputFile=${report}`]
  run(process.execPath, [join(tree, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'unit', file, ...reporters])
  if (!existsSync(report)) return 'crashed'
  const { numFailedTests, numPassedTests } = JSON.parse(readFileSync(report, 'utf8'))
  if (numFailedTests > 0) return 'red'
  return numPassedTests > 0 ? 'green' : 'no such test'
}

/** Puts the mistake in, runs the test, takes it out again. */
function outcomeWith({ file, find, replace, test }) {
  const path = join(tree, file)
  const original = readFileSync(path, 'utf8')
  const count = original.split(find).length - 1
  if (count !== 1) return `found ${count} times in ${file}`
  writeFileSync(
    path,
    original.replace(find, () => replace),
  )
  try {
    return outcomeOf(test)
  } finally {
    writeFileSync(path, original)
  }
}

const secondsSince = (start) => Math.round((performance.now() - start) / 100) / 10

function writeResults(rows, failed) {
  const commit = run('git', ['rev-parse', '--short', 'HEAD'], { cwd: root }).output.trim()
  const changed = run('git', ['status', '--porcelain', '--', 'src', 'native', 'test'], { cwd: root }).output !== ''
  const results = {
    date: new Date().toISOString().slice(0, 10),
    commit,
    changedSince: changed,
    passed: rows.length - failed,
    failed,
  }
  writeFileSync(join(here, 'results.json'), `${JSON.stringify({ ...results, mutations: rows }, null, 2)}\n`)
}

const wanted = all.filter(({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)))
console.log(`${wanted.length} mutations in ${tree}`)
copyTree()
mkdirSync(build, { recursive: true })
if (wanted.some(({ test }) => test.startsWith('native: '))) configure()

const notGreen = [...new Set(wanted.map(({ test }) => test))].filter((test) => outcomeOf(test) !== 'green')
for (const test of notGreen) console.log(`not green without a mutation: ${test}`)
const rows = []
for (const mutation of wanted) {
  const start = performance.now()
  const outcome = notGreen.includes(mutation.test) ? 'test is not green' : outcomeWith(mutation)
  rows.push({ name: mutation.name, outcome, test: mutation.test, seconds: secondsSince(start) })
  console.log(
    `${outcome === 'red' ? 'ok  ' : 'FAIL'}  ${mutation.name.padEnd(52)} ${outcome.padEnd(8)} ${mutation.test}`,
  )
}
if (!values.tree) rmSync(tree, { recursive: true, force: true })
const failed = rows.filter(({ outcome }) => outcome !== 'red').length
if (wanted.length === all.length) writeResults(rows, failed)
console.log(`mutations: ${rows.length - failed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
