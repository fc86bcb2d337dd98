/** Calls of the engine with a stopwatch: passes, decoding steps and optimizer steps on made-up batches. */
import type { Batch, NativeModel, NativeOptimizer } from '../native.js'
import type { ModelShape } from './shape.js'

/** The first run compiles kernels; further ones, as long as they are quick, find a moment when the machine is free. */
const runs = { least: 2, most: 4, seconds: 0.2 } as const
const decodingSteps = 6

/** Seconds of a forward pass with its graph, of the head alone, and of the backward pass with the head's. */
export async function timePass(model: NativeModel, batch: Batch, targets: number) {
  const first = batch.ids.length - targets
  const asked = { rows: Int32Array.from({ length: targets }, (_, k) => first + k), ids: new Int32Array(targets) }
  const weights = new Float32Array(targets).fill(1e-6)
  const [forward = 0, head = 0, backward = 0] = await fastest(async (lap) => {
    const pass = await model.forward(batch, asked, { grad: true, adapter: true, temperature: 1 })
    lap()
    await pass.logps()
    lap()
    await pass.backward({ loss: 'sft', weights })
    lap()
    pass.dispose()
  })
  return { forward, head, backward }
}

/** Seconds of a decoding step of so many rows. */
export async function timeDecoding(model: NativeModel, rows: number): Promise<number> {
  const run = async (maxNewTokens: number) => {
    const [seconds = 0] = await fastest(async (lap) => {
      await model.generate(textBatch(16), {
        leaves: Int32Array.of(0),
        nextPositions: Int32Array.of(16),
        numGenerations: rows,
        maxNewTokens,
        temperature: 1,
        topK: 0,
        topP: 1,
        minP: 0,
        repetitionPenalty: 1,
        eosIds: new Int32Array(),
        seeds: BigUint64Array.from({ length: rows }, (_, i) => BigInt(i)),
      })
      lap()
    })
    return seconds
  }
  return further(await run(1), await run(1 + decodingSteps), decodingSteps)
}

/** What each of `count` more costs; half the average at least, however the machine's load changes between the two calls. */
export function further(first: number, all: number, count = 1): number {
  return Math.max((all - first) / count, all / (count + 1) / 2)
}

/** Seconds of an optimizer step; at rate 0 nothing moves. */
export async function timeSteps(optimizer: NativeOptimizer): Promise<number> {
  const [seconds = 0] = await fastest(async (lap) => {
    await optimizer.step({ lr: 0, maxGradNorm: 1 })
    lap()
  })
  return seconds
}

/** One segment of text, of tokens that the smallest vocabulary has. */
export function textBatch(tokens: number): Batch {
  return {
    ids: Int32Array.from({ length: tokens }, (_, t) => t % 256),
    offsets: Int32Array.of(0, tokens),
    parents: Int32Array.of(-1),
    positions: Int32Array.from({ length: 3 * tokens }, (_, t) => t % tokens),
    patches: new Uint8Array(),
    byteValues: new Float32Array(),
    grids: new Int32Array(),
  }
}

/** Frames as images, each two rows of patches high, and a token behind them. */
export function mediaBatch({ vocabulary, vision }: ModelShape, frames: number, framePatches: number): Batch {
  const side = Math.sqrt(vision.mergeUnit)
  const media = (frames * framePatches) / vision.mergeUnit
  const text = textBatch(media + 1)
  return {
    ...text,
    ids: text.ids.map((id, t) => (t < media ? vocabulary - 2 : id)),
    patches: new Uint8Array(frames * framePatches * vision.patchValues),
    byteValues: new Float32Array(frames * 768),
    grids: Int32Array.from({ length: 3 * frames }, (_, i) => [1, side, framePatches / side][i % 3] ?? 1),
  }
}

/** Seconds between the laps of a call, each the least of some runs. */
async function fastest(call: (lap: () => void) => Promise<void>): Promise<number[]> {
  let best: number[] = []
  let spent = 0
  for (let run = 0; run < runs.least || (run < runs.most && spent < runs.seconds); run++) {
    const times = [performance.now()]
    await call(() => times.push(performance.now()))
    const laps = times.slice(1).map((time, i) => (time - (times[i] ?? time)) / 1000)
    best = laps.map((lap, i) => Math.min(lap, best[i] ?? lap))
    spent += laps.reduce((sum, lap) => sum + lap, 0)
  }
  return best
}
