/** Where a run's memory goes: the metrics `memory/…`, in bytes, under the names that `vsgrpo plan` gives its parts. */
import type { Policy } from '../policy.js'
import type { Meter } from './meter.js'

/** What lasts from step to step by part, and in all: of the process, and of the GPU, now and at most so far. */
export async function measureMemory(policy: Policy, meter: Meter): Promise<void> {
  const { gpu, ...parts } = await policy.memory()
  for (const [part, bytes] of Object.entries(parts)) if (bytes > 0) meter.last(`memory/${part}`, bytes)
  if (gpu) {
    meter.last('memory/gpu', gpu.allocatedBytes)
    meter.last('memory/gpu_peak', gpu.peakBytes)
  }
  meter.last('memory/rss', process.memoryUsage.rss())
  meter.last('memory/peak', process.resourceUsage().maxRSS * 1024)
}
