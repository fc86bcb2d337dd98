/** What a test's own process prints, kept instead of shown. */
import { afterEach, beforeEach, vi } from 'vitest'
import { runCommandLine } from '../src/cli/program.js'

export interface Printed {
  out: string
  err: string
}

/** Keeps what is written to standard output and standard error; empty again for every test of the file. */
export function keepPrinted(): Printed {
  const printed: Printed = { out: '', err: '' }
  const into = (stream: keyof Printed) => (text: unknown) => {
    printed[stream] += String(text)
    return true
  }
  beforeEach(() => {
    Object.assign(printed, { out: '', err: '' })
    vi.spyOn(process.stdout, 'write').mockImplementation(into('out'))
    vi.spyOn(process.stderr, 'write').mockImplementation(into('err'))
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })
  return printed
}

/** The command line in this process: its exit code and what it says through its own streams. */
export async function runCli(...args: string[]): Promise<Printed & { readonly code: number }> {
  const printed: Printed = { out: '', err: '' }
  const code = await runCommandLine(args, {
    out: (text) => {
      printed.out += text
    },
    err: (text) => {
      printed.err += text
    },
  })
  return { code, ...printed }
}
