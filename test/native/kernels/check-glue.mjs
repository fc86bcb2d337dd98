/** libvsgrpo_cuda.so, compiled and linked without a GPU: against whichever libtorch the addon was built with, a CPU's too. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The libtorch of the addon's build, or the one that VSGRPO_LIBTORCH names; undefined where there is none. */
export function libtorchFolder(root) {
  if (process.env.VSGRPO_LIBTORCH) return process.env.VSGRPO_LIBTORCH
  const stamp = join(root, 'build', 'Release', 'vsgrpo.json')
  return existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')).libtorch.dir : undefined
}

/**
 * CMake's options for the whole project's CUDA part in a folder. libtorch's builds for the CPU bring the headers of CUDA but
 * one, which libtorch's own build writes: it says that the library is a shared one.
 */
export function projectOptions(root, libtorch, build) {
  const generated = join(build, 'generated')
  const macros = 'c10/cuda/impl/cuda_cmake_macros.h'
  if (!existsSync(join(libtorch, 'include', macros))) {
    mkdirSync(dirname(join(generated, macros)), { recursive: true })
    writeFileSync(join(generated, macros), '#pragma once\n#define C10_CUDA_BUILD_SHARED_LIBS\n')
  }
  const parts = ['-DVSGRPO_CUDA=ON', '-DVSGRPO_ADDON=OFF', `-DVSGRPO_LIBTORCH=${libtorch}`]
  const places = [`-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${build}`, `-DCMAKE_CXX_FLAGS=-isystem ${generated}`]
  return ['-S', root, ...parts, ...places]
}

/** Faults by the name of the check, '' where there is none. */
export function checkGlue({ run, build }) {
  const built = run('cmake', ['--build', build, '--target', 'vsgrpo_cuda', '--parallel', '2'])
  const library = join(build, 'libvsgrpo_cuda.so')
  const checks = { 'what calls the kernels on tensors compiles and links': built.ok ? '' : built.output }
  if (!built.ok) return checks
  return {
    ...checks,
    'it exports one function, which the addon asks for': oneExport(run, library),
    'it asks nothing of the engine, whose symbols are hidden from it': engineSymbols(run, library),
  }
}

function oneExport(run, library) {
  const { output } = run('nm', ['-D', '--defined-only', library])
  const functions = [...output.matchAll(/ T (\S+)$/gm)].map(([, name]) => name).filter((name) => /vsgrpo/.test(name))
  return functions.join() === 'vsgrpo_gpu' ? '' : `exported: ${functions.join(' ') || 'nothing'}`
}

/** Symbols that stay open are libtorch_cuda's, the kernels' and the C library's. */
function engineSymbols(run, library) {
  const { output } = run('nm', ['-D', '-C', '--undefined-only', library])
  const open = [...output.matchAll(/ [UVWvw] (.*vsgrpo::.*)$/gm)].map(([, name]) => name)
  return open.length === 0 ? '' : `it needs ${open.slice(0, 5).join('; ')}`
}
