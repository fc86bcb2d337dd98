/** `vsgrpo setup`. */
import type { Command } from 'commander'
import { setup } from '../setup/setup.js'

export function register(program: Command): void {
  program
    .command('setup')
    .description('find or fetch libtorch and build the native engine; does nothing when all is current')
    .option(
      '--cuda',
      "build for NVIDIA GPUs, beside the CPU's build: needs nvcc 13, and fetches libtorch for CUDA (2.6 GB)",
    )
    .option('--libtorch <dir>', 'use this libtorch, as VSGRPO_LIBTORCH does')
    .option('--tests', 'also build the native tests; with --cuda those that need a GPU')
    .addHelpText(
      'after',
      `
Environment:
  VSGRPO_LIBTORCH=DIR     use this libtorch (2.11 or newer; a folder with include/ and lib/, or the site-packages above it)
  CUDACXX=FILE            use this nvcc; else the one on PATH, in CUDA_HOME or in /usr/local/cuda*
  XDG_CACHE_HOME=DIR      where the fetched libtorch is kept (default ~/.cache)
  VSGRPO_NATIVE_ARCH=0    compile for any x86-64-v3 processor instead of this machine's`,
    )
    .action(async (options: { cuda?: boolean; libtorch?: string; tests?: boolean }) => {
      await setup({ ...options, log: say, progress: progressPrinter() })
    })
}

function say(line: string): void {
  process.stderr.write(`${process.stderr.isTTY ? '\r\u001b[K' : ''}${line}\n`)
}

/** One line that is written over on a terminal; elsewhere a line every 15 seconds, so that a log shows life. */
function progressPrinter(): (line: string) => void {
  let last = performance.now()
  return (line) => {
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\u001b[K  ${line.slice(0, (process.stderr.columns ?? 80) - 3)}`)
    } else if (performance.now() - last > 15_000) {
      last = performance.now()
      process.stderr.write(`  ${line}\n`)
    }
  }
}
