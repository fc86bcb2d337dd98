/** Asks an addon for the GPU, in a process of its own: loading CUDA takes memory and cannot be undone. */
import { messageOf } from '../errors.js'
import { run, tail } from './run.js'

export interface GpuState {
  readonly ok: boolean
  /** Its memory, or why there is none to use. */
  readonly detail: string
}

const SCRIPT = `
require(process.argv[1]).gpuMemory().then(
  (memory) => console.log(JSON.stringify(memory)),
  (error) => { console.log(JSON.stringify({ error: error.message })) },
)`

/** Never throws. */
export async function probeGpu(addon: string, env: NodeJS.ProcessEnv): Promise<GpuState> {
  const { code, stdout, output } = await run(process.execPath, ['-e', SCRIPT, addon], { env })
  if (code !== 0) return { ok: false, detail: `looking for it ended with ${code}: ${tail(output, 1)}` }
  try {
    return stateOf(JSON.parse(tail(stdout, 1)))
  } catch (error) {
    return { ok: false, detail: messageOf(error) }
  }
}

function stateOf(answer: unknown): GpuState {
  if (typeof answer === 'object' && answer !== null) {
    if ('error' in answer) return { ok: false, detail: String(answer.error) }
    if ('totalBytes' in answer && 'freeBytes' in answer) {
      return {
        ok: true,
        detail: `a GPU with ${gigabytes(answer.totalBytes)}, ${gigabytes(answer.freeBytes)} of it free`,
      }
    }
  }
  return { ok: false, detail: `expected the GPU's memory, got ${JSON.stringify(answer)}` }
}

function gigabytes(bytes: unknown): string {
  return `${(Number(bytes) / 1e9).toFixed(1)} GB`
}
