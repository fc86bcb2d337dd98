/** ffmpeg as a child process: the command that VSGRPO_FFMPEG names, else the one on PATH. Aborting kills it. */
import { spawn } from 'node:child_process'
import { AbortedError, firstLine, InputError } from './errors.js'

export function ffmpegCommand(env: NodeJS.ProcessEnv = process.env): string {
  return env.VSGRPO_FFMPEG || 'ffmpeg'
}

export interface FfmpegOptions {
  /** What can be done without ffmpeg, for the error that says that there is none: `give a list of frame images`. */
  readonly instead: string
  /** What it reads as pipe:0. */
  readonly input?: Uint8Array
  /** Takes what it prints, as it comes. What this throws ends ffmpeg, and the run with it. */
  readonly onOutput?: (chunk: Uint8Array) => void
  readonly signal?: AbortSignal
}

/**
 * Runs it to its end; gives what it complained of first, when it did not end well. Throws an InputError when it is missing, an
 * AbortedError when aborted.
 */
export function runFfmpeg(args: readonly string[], options: FfmpegOptions): Promise<string | undefined> {
  const { instead, input, onOutput, signal } = options
  const command = ffmpegCommand()
  return new Promise((resolve, reject) => {
    const child = spawn(command, ['-nostdin', '-v', 'error', ...args], { signal, stdio: 'pipe' })
    let complaint = ''
    child.stdout.on('data', (chunk: Buffer) => {
      try {
        onOutput?.(chunk)
      } catch (error) {
        reject(error)
        // Nothing reads on; the pipe would keep the child waiting.
        child.stdout.destroy()
        child.kill()
      }
    })
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-2000)
    })
    child.on('error', (error) => {
      reject(signal?.aborted ? new AbortedError(undefined, error) : missing(command, instead, error))
    })
    child.on('close', (code) => resolve(code === 0 ? undefined : firstLine(complaint) || `exit code ${code}`))
    // ffmpeg that ends early closes the pipe; its exit code says why.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}

function missing(command: string, instead: string, cause: Error): InputError {
  return new InputError(`ffmpeg not found (${command})`, {
    hint: `Install it (apt install ffmpeg, brew install ffmpeg), set VSGRPO_FFMPEG to its path, or ${instead}.`,
    cause,
  })
}
