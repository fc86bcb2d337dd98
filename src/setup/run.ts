/** Runs a program and collects what it prints. Never rejects: a program that cannot be started has code 127. */
import { spawn } from 'node:child_process'

export interface RunOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Called for every full line of stdout and stderr. */
  readonly onLine?: (line: string) => void
}

export interface RunResult {
  /** Exit status; 127 when the program was not found, 128 when a signal ended it. */
  readonly code: number
  readonly stdout: string
  /** stdout and stderr in the order in which they came. */
  readonly output: string
}

export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    let stdout = ''
    let output = ''
    let partial = ''
    const child = spawn(command, args, { cwd: options.cwd, env: options.env, stdio: ['ignore', 'pipe', 'pipe'] })
    const take = (chunk: string): void => {
      output += chunk
      const lines = (partial + chunk).split(/\r?\n/)
      partial = lines.pop() ?? ''
      if (options.onLine) for (const line of lines) options.onLine(line)
    }
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
      take(chunk)
    })
    child.stderr.setEncoding('utf8').on('data', take)
    child.on('error', (error) => resolve({ code: 127, stdout, output: `${output}${error.message}\n` }))
    child.on('close', (code) => resolve({ code: code ?? 128, stdout, output }))
  })
}

/** The last `count` lines that are not empty. */
export function tail(text: string, count: number): string {
  return text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .slice(-count)
    .join('\n')
}
