/**
 * Compiles the CUDA kernels with nvcc and checks what can be checked without a GPU: every kernel exists for both
 * architectures, none spills registers or keeps a stack, the library exports what its header declares, needs CUDA's runtime
 * and no torch, loads, and refuses bad arguments. Then the library between the kernels and libtorch is compiled and linked, where
 * there is a libtorch (check-glue.mjs). Without nvcc it says so and counts as skipped. A build of the same sources is not
 * repeated.
 *
 *   node test/native/kernels/check-build.mjs     last line: "kernels: N passed, N failed, N skipped"
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkGlue, libtorchFolder, projectOptions } from './check-glue.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const root = resolve(here, '../../..')
const sources = join(root, 'native', 'kernels')
const build = join(root, 'build', 'kernels')
const library = join(build, 'libvsgrpo_cuda_kernels.so')
const architectures = ['sm_80', 'sm_90a']

function run(command, args, env = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    env: { ...process.env, ...env },
  })
  return { ok: status === 0, output: error ? error.message : `${stdout}${stderr}` }
}

/** The compiler and its version, or why there is none. */
function findNvcc() {
  for (const nvcc of [process.env.CUDACXX, 'nvcc', '/usr/local/cuda/bin/nvcc'].filter(Boolean)) {
    const { ok, output } = run(nvcc, ['--version'])
    const version = /release (\d+\.\d+)/.exec(output)?.[1]
    if (!ok || !version) continue
    return Number(version) >= 13 ? { nvcc, version } : { missing: `${nvcc} is ${version}, the kernels need 13.0` }
  }
  return { missing: 'no nvcc on PATH or in CUDACXX' }
}

/** What the library is made of: a build with the same hash is current. */
function sourceHash(version) {
  const hash = createHash('sha256').update(`${version} ${libtorchFolder(root) ?? ''}`)
  const shared = ['core/host_device.h', 'ops/grpo_terms.h', 'ops/uniform.h', 'optim/dynamic_code.h'].map((file) =>
    join(root, 'native', file),
  )
  const own = readdirSync(sources).filter((file) => !file.endsWith('.md'))
  for (const file of [...own.map((file) => join(sources, file)), ...shared])
    hash.update(file).update(readFileSync(file))
  return hash.digest('hex')
}

/** The assembler's log of a build; throws the compiler's output. */
function compile({ nvcc, version }) {
  const log = join(build, 'ptxas.log')
  const hash = sourceHash(version)
  const current = existsSync(log) && existsSync(library) ? readFileSync(log, 'utf8') : ''
  if (current.startsWith(hash)) return current
  rmSync(build, { recursive: true, force: true })
  mkdirSync(build, { recursive: true })
  // Ninja prints each command's output in one piece; make only does so one command at a time.
  const ninja = run('ninja', ['--version']).ok
  const generator = ninja ? ['-G', 'Ninja'] : []
  const flags = ['-B', build, '-DVSGRPO_KERNEL_REPORT=ON', `-DCMAKE_CUDA_COMPILER=${nvcc}`]
  const configured = run('cmake', [...generator, ...flags, ...project()])
  if (!configured.ok) throw new Error(configured.output)
  const target = ['--target', 'vsgrpo_cuda_kernels', '--parallel', ninja ? '2' : '1']
  const built = run('cmake', ['--build', build, ...target])
  if (!built.ok) throw new Error(built.output)
  writeFileSync(log, `${hash}\n${built.output}`)
  return built.output
}

/** The whole project's CUDA part where there is a libtorch, else the kernels by themselves. */
function project() {
  const libtorch = libtorchFolder(root)
  return libtorch ? projectOptions(root, libtorch, build) : ['-S', sources]
}

/** `{ name, architecture, registers, stack, spills }` of every kernel. */
function kernelsOf(log) {
  const entry = /Compiling entry function '([^']+)' for '(\w+)'([\s\S]*?)Used (\d+) registers/g
  return [...log.matchAll(entry)].map(([, mangled, architecture, between, registers]) => {
    const [, stack, stores, loads] =
      /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(between) ?? []
    const name = run('c++filt', [mangled]).output.trim()
    const short = name.replace(/^void |vsgrpo::kernels::|\(anonymous namespace\)::|__nv_|\([^()]*\)$/g, '')
    return {
      name: short,
      architecture,
      registers: Number(registers),
      stack: Number(stack),
      spills: Number(stores) + Number(loads),
    }
  })
}

function compiledForAll(kernels) {
  const names = [...new Set(kernels.map(({ name }) => name))]
  const missing = architectures.flatMap((architecture) =>
    names.filter((name) => !kernels.some((k) => k.name === name && k.architecture === architecture)),
  )
  return kernels.length === 0 ? 'the log names no kernel' : missing.length > 0 ? `missing: ${missing.join(', ')}` : ''
}

function noSpills(kernels) {
  const guilty = kernels.filter(({ stack, spills }) => !(stack === 0 && spills === 0))
  return guilty.map((k) => `${k.name} on ${k.architecture}: ${k.stack} bytes of stack, ${k.spills} spilled`).join('; ')
}

function exportsHeader() {
  const header = readFileSync(join(sources, 'vsgrpo_kernels.h'), 'utf8')
  const declared = [...header.matchAll(/^VSGRPO_EXPORT .*?(\w+)\(/gm)].map(([, name]) => name).sort()
  const { output } = run('nm', ['-D', '--defined-only', library])
  const found = [...output.matchAll(/ [TWBDRV] (\S+)$/gm)].map(([, name]) => name).sort()
  return declared.join() === found.join() ? '' : `declared ${declared.join(' ')}; exported ${found.join(' ')}`
}

function needsNoTorch() {
  const { output } = run('readelf', ['-d', library])
  const needed = [...output.matchAll(/NEEDED.*\[(.+)\]/g)].map(([, name]) => name)
  const known = /^(libcudart|libstdc\+\+|libgcc_s|libc|libm|ld-linux-x86-64)\.so/
  const strange = needed.filter((name) => !known.test(name))
  return needed.length === 0 ? output : strange.length > 0 ? `it needs ${strange.join(', ')}` : ''
}

function loads({ nvcc }) {
  const program = join(build, 'load_check')
  const text = join(here, 'load_check.cpp')
  const compiled = run('c++', ['-std=c++20', '-I', join(root, 'native'), text, '-o', program, '-ldl'])
  if (!compiled.ok) return compiled.output
  // The runtime lies beside the compiler; in the engine it is libtorch's.
  const toolkit =
    /^#\$ TOP=(.+)$/m.exec(run(nvcc, ['--dryrun', '-x', 'cu', '/dev/null']).output)?.[1] ?? '/usr/local/cuda'
  const folders = [join(toolkit, 'lib64'), join(toolkit, 'lib'), process.env.LD_LIBRARY_PATH].filter(Boolean)
  const { ok, output } = run(program, [library], { LD_LIBRARY_PATH: folders.join(':') })
  process.stdout.write(output.replace(/^ok\n/m, '').replace(/^(?=.)/gm, '  '))
  return ok ? '' : output
}

function table(kernels) {
  const rows = kernels.filter(({ architecture }) => architecture === 'sm_90a')
  for (const { name, registers } of rows) console.log(`  ${String(registers).padStart(3)} registers  ${name}`)
}

function main() {
  const found = findNvcc()
  if (found.missing) {
    console.log(`skip  the kernels are not compiled here: ${found.missing}`)
    console.log('kernels: 0 passed, 0 failed, 1 skipped')
    return 0
  }
  const kernels = kernelsOf(compile(found))
  table(kernels)
  const checks = {
    [`nvcc ${found.version} compiles every kernel for ${architectures.join(' and ')}`]: compiledForAll(kernels),
    'no kernel spills registers or keeps a stack': noSpills(kernels),
    'the library exports what its header declares': exportsHeader(),
    'the library needs the CUDA runtime and no torch': needsNoTorch(),
    'the library loads, refuses bad arguments and reports a launch that CUDA refuses': loads(found),
    ...(libtorchFolder(root) ? checkGlue({ run, build }) : {}),
  }
  const skipped = libtorchFolder(root) ? 0 : 1
  if (skipped > 0)
    console.log('skip  what calls the kernels on tensors is not compiled here: no addon, hence no libtorch')
  const failed = Object.values(checks).filter((fault) => fault !== '').length
  for (const [name, fault] of Object.entries(checks))
    console.log(fault === '' ? `ok    ${name}` : `FAIL  ${name}\n  ${fault}`)
  console.log(`kernels: ${Object.keys(checks).length - failed} passed, ${failed} failed, ${skipped} skipped`)
  return failed === 0 ? 0 : 1
}

process.exitCode = main()
