/** The weight of the entropy bonus: TRL's rule step by step, what it does to a run, and that it goes on from a checkpoint. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type GRPOConfig, resolveGRPOConfig } from '../../../../src/train/grpo/config.js'
import { EntropyControl } from '../../../../src/train/grpo/entropy-control.js'
import type { GRPOSample } from '../../../../src/train/grpo/sample.js'
import { Meter } from '../../../../src/train/meter.js'
import { collect, computed, grpo, scratch, stepMetrics, table } from '../harness.js'

const place = scratch()
const adaptive: GRPOConfig = {
  useAdaptiveEntropy: true,
  entropyCoef: 0.1,
  entropyCoefDelta: 0.1,
  entropyCoefMin: 0.05,
  entropyCoefMax: 0.25,
  entropyTarget: 0.5,
}

const control = (config: GRPOConfig) => new EntropyControl(resolveGRPOConfig(config))

/** One step in which the tokens of one completion have these entropies: what the bonus weighed, and what is logged after. */
function step(of: EntropyControl, entropies: readonly number[], entropyMask?: readonly number[]) {
  const weighed = of.coefficient
  const sample: GRPOSample = {
    completionIds: new Int32Array(entropies.length),
    advantage: 1,
    weight: 1,
    entropyWeight: 1,
    slice: 0,
    samplingLogps: new Float32Array(entropies.length),
    ...(entropyMask ? { entropyMask: Float32Array.from(entropyMask) } : {}),
  }
  const values = new Float32Array(entropies.length)
  const entropy = Float32Array.from(entropies)
  of.observe([sample], { loss: 0, logps: values, entropy, correct: new Uint8Array(entropies.length) })
  const meter = new Meter()
  of.update(meter)
  return { weighed, logged: meter.take().entropy_coef }
}

describe('the adaptive coefficient', () => {
  it('rises while the entropy is not above the target, falls above it, and acts after low entropy alone', () => {
    const rule = control(adaptive)
    const seen = [[0.4], [0.5], [0.6], [0.9], [0.9], [0.3], [0.3]].map((entropies) => step(rule, entropies))
    const expected = [
      { weighed: 0, logged: 0.2 },
      { weighed: 0.2, logged: 0.25 },
      { weighed: 0.25, logged: 0.15 },
      { weighed: 0, logged: 0.05 },
      { weighed: 0, logged: 0.05 },
      { weighed: 0, logged: 0.15 },
      { weighed: 0.15, logged: 0.25 },
    ]
    for (const [i, { weighed, logged }] of expected.entries()) {
      expect(seen[i]?.weighed).toBeCloseTo(weighed, 12)
      expect(seen[i]?.logged).toBeCloseTo(logged, 12)
    }
  })

  it('looks at the mean over the tokens of a step, masked ones left out', () => {
    // Mean 0.525 over all three, 0.5 over the first two.
    expect(step(control(adaptive), [0.3, 0.7, 0.575]).logged).toBeCloseTo(0.05, 12)
    expect(step(control(adaptive), [0.3, 0.7, 0.575], [1, 1, 0]).logged).toBeCloseTo(0.2, 6)
  })

  it('stays as it is in a step without samples', () => {
    const rule = control(adaptive)
    expect(step(rule, []).logged).toBe(0.1)
    expect(rule.coefficient).toBe(0)
  })

  it('comes back from a folder, and a constant one leaves none', () => {
    const rule = control(adaptive)
    step(rule, [0.4])
    mkdirSync(join(place.dir, 'a'))
    rule.save(join(place.dir, 'a'))
    const restored = control(adaptive)
    restored.restore(join(place.dir, 'a'))
    expect(restored.coefficient).toBe(0.2)
    const fixed = control({ entropyCoef: 0.3 })
    mkdirSync(join(place.dir, 'b'))
    fixed.save(join(place.dir, 'b'))
    expect(existsSync(join(place.dir, 'b', 'entropy-control.json'))).toBe(false)
    expect(step(fixed, [9])).toEqual({ weighed: 0.3, logged: 0.3 })
  })
})

describe('a run with an entropy bonus', () => {
  it('keeps more entropy than one without, and logs the loss without the bonus', async () => {
    const run = async (name: string, entropyCoef: number) =>
      stepMetrics(await collect((await grpo(join(place.dir, name), { entropyCoef, maxSteps: 40 })).trainer))
    const [plain, bonus] = [await run('plain', 0), await run('bonus', 0.5)]
    expect(bonus.at(-1)?.entropy).toBeGreaterThan((plain.at(-1)?.entropy ?? 0) + 0.2)
    for (const { loss = 0, policy_loss = 0, entropy = 0, entropy_coef } of bonus) {
      expect(entropy_coef).toBe(0.5)
      expect(policy_loss - loss).toBeCloseTo(0.5 * entropy, 4)
    }
    expect(plain[0]).not.toHaveProperty('policy_loss')
    expect(plain[0]).not.toHaveProperty('entropy_coef')
  })

  it('averages over the tokens that topEntropyQuantile keeps, which have the highest entropy', async () => {
    const config: GRPOConfig = { entropyCoef: 0.5, topEntropyQuantile: 0.25, maxSteps: 10 }
    const { trainer } = await grpo(place.dir, config)
    for (const { loss = 0, policy_loss = 0, entropy = 0 } of stepMetrics(await collect(trainer))) {
      expect(policy_loss - loss).toBeGreaterThan(0.5 * entropy - 1e-4)
    }
  })

  it('goes on bit for bit with an adaptive coefficient', async () => {
    const config: GRPOConfig = { ...adaptive, entropyTarget: 3.3, maxSteps: 12, saveSteps: 5 }
    const start = (name: string) => grpo(join(place.dir, name), { ...config, outputDir: join(place.dir, name) })
    const whole = await start('whole')
    const wholeEvents = await collect(whole.trainer)
    // The entropy crosses the target on the way.
    expect(new Set(stepMetrics(wholeEvents).map(({ entropy_coef }) => entropy_coef)).size).toBeGreaterThan(2)
    const part = await start('part')
    for await (const event of part.trainer) if (event.type === 'checkpoint') break
    const rest = await start('part')
    const restEvents = await collect(rest.trainer.events({ resumeFromCheckpoint: true }))
    expect(computed(restEvents)).toEqual(computed(wholeEvents).slice(5))
    expect(table(rest.policy)).toEqual(table(whole.policy))
  })
})
