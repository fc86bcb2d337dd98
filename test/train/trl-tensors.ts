/** Tensors by name, read from checkpoints and from what TRL did to the same one, and how far they are apart. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TrainEvent } from '../../src/train/events.js'
import type { Metrics } from '../../src/types.js'

/** Flat tensors under the published names. */
export type Tensors = ReadonlyMap<string, Float32Array>

/** What one optimizer step did. */
export interface Step {
  readonly gradients: Tensors
  readonly updates: Tensors
  readonly metrics: Metrics
}

/** A run that logs and saves every step. */
interface Run extends AsyncIterable<TrainEvent> {
  readonly args: { readonly adamBeta1: number; readonly maxGradNorm: number }
}

/** The steps of a run from the checkpoint `base`, read from what it saves after each. */
export async function stepsOf(run: Run, base: string): Promise<Step[]> {
  const steps: Step[] = []
  let weights = readTensors(join(base, 'model.safetensors'))
  let moments: Tensors | undefined
  for await (const event of run) {
    if (event.type === 'step') steps.push({ gradients: new Map(), updates: new Map(), metrics: event.metrics })
    const last = steps.at(-1)
    if (event.type !== 'checkpoint' || !last) continue
    const after = readTensors(join(event.dir, 'model.safetensors'))
    const momentsAfter = firstMoments(join(event.dir, 'optimizer.safetensors'), after)
    const norm = last.metrics.grad_norm ?? Number.NaN
    const gradients = gradientsFrom(momentsAfter, moments, { ...run.args, norm })
    steps[steps.length - 1] = { ...last, gradients, updates: combine(after, weights, (now, before) => now - before) }
    weights = after
    moments = momentsAfter
  }
  return steps
}

/** The float32 tensors of a safetensors file whose names begin with `prefix`, without it. */
export function readTensors(file: string, prefix = ''): Tensors {
  const bytes = readFileSync(file)
  const begin = 8 + Number(bytes.readBigUInt64LE(0))
  const header: Record<string, { dtype?: string; data_offsets?: [number, number] }> = JSON.parse(
    bytes.subarray(8, begin).toString(),
  )
  const tensors = new Map<string, Float32Array>()
  for (const [name, { dtype, data_offsets: [from, to] = [0, 0] }] of Object.entries(header)) {
    if (dtype !== 'F32' || !name.startsWith(prefix)) continue
    const values = Uint8Array.from(bytes.subarray(begin + from, begin + to)).buffer
    tensors.set(name.slice(prefix.length), new Float32Array(values))
  }
  return tensors
}

/** The optimizer's first moments under the published names: the engine keeps q, k, v and gate, up in one tensor each. */
function firstMoments(optimizerFile: string, shapes: Tensors): Tensors {
  const parts = new Map<string, Float32Array>()
  for (const [key, values] of readTensors(optimizerFile)) {
    if (!key.endsWith('.m')) continue
    const name = key.slice(0, -'.m'.length)
    const fused = ['k_proj', 'v_proj'].map((k) => name.replace('q_proj', k))
    let begin = 0
    for (const part of new Set([name, ...fused, name.replace('gate_proj', 'up_proj')])) {
      const size = shapes.get(part)?.length ?? 0
      parts.set(part, values.subarray(begin, begin + size))
      begin += size
    }
    if (begin !== values.length) throw new Error(`${name}: ${begin} of ${values.length} values have a name`)
  }
  return parts
}

/** Adam's m after = beta1 m + (1 - beta1) g, where g was scaled down to the norm that the run allows. */
function gradientsFrom(
  after: Tensors,
  before: Tensors | undefined,
  { norm, adamBeta1: beta, maxGradNorm }: { norm: number; adamBeta1: number; maxGradNorm: number },
): Tensors {
  const scale = Math.min(1, maxGradNorm / (norm + 1e-6)) * (1 - beta)
  return combine(after, before, (m, old) => (m - beta * old) / scale)
}

/** f of the tensors' values, 0 where `b` has none. */
export function combine(a: Tensors, b: Tensors | undefined, f: (a: number, b: number) => number): Tensors {
  return new Map([...a].map(([name, values]) => [name, values.map((value, i) => f(value, b?.get(name)?.[i] ?? 0))]))
}

/** The tensor that differs most, by ||got - wanted|| / ||wanted||; infinite where only one is there or is no number. */
export function farthest(got: Tensors, wanted: Tensors): { readonly name: string; readonly value: number } {
  const names = [...new Set([...got.keys(), ...wanted.keys()])]
  const all = names.map((name) => ({ name, value: distance(got.get(name), wanted.get(name)) }))
  return all.reduce((worst, one) => (one.value > worst.value ? one : worst), { name: 'none', value: 0 })
}

function distance(got: Float32Array | undefined, wanted: Float32Array | undefined): number {
  if (!got || !wanted || got.length !== wanted.length) return Number.POSITIVE_INFINITY
  const apart = Math.hypot(...got.map((value, i) => value - (wanted[i] ?? 0)))
  const relative = apart === 0 ? 0 : apart / Math.hypot(...wanted)
  return Number.isNaN(relative) ? Number.POSITIVE_INFINITY : relative
}
