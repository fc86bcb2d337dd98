/**
 * The weight of the entropy bonus: constant, or moved after every step to keep the policy's entropy near a target (Skywork
 * Open Reasoner 1, arXiv 2505.22312; TRL 1.13 `use_adaptive_entropy`).
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isObject } from '../../json.js'
import type { BackwardResult } from '../../native.js'
import { readJson } from '../checkpoint.js'
import type { Meter } from '../meter.js'
import type { GRPOValues } from './config.js'
import type { GRPOSample } from './sample.js'

const file = 'entropy-control.json'

interface State {
  readonly entropyCoef: number
  /** Mean entropy of the step before; null before the first. */
  readonly lastEntropy: number | null
}

export class EntropyControl {
  /** Constant for a run, whatever the coefficient is at the moment. */
  readonly enabled: boolean
  private state: State
  private sum = 0
  private tokens = 0

  constructor(private readonly config: GRPOValues) {
    this.enabled = config.entropyCoef !== 0 || config.useAdaptiveEntropy
    this.state = { entropyCoef: config.entropyCoef, lastEntropy: null }
  }

  /** What the bonus weighs in this step: adaptive, it acts while the entropy is not above its target. */
  get coefficient(): number {
    const { entropyCoef, lastEntropy } = this.state
    if (!this.config.useAdaptiveEntropy) return entropyCoef
    return lastEntropy !== null && lastEntropy <= this.config.entropyTarget ? entropyCoef : 0
  }

  /** Takes the entropies of a micro-batch's tokens, but for those that `topEntropyQuantile` leaves out. */
  observe(samples: readonly GRPOSample[], { entropy }: BackwardResult): void {
    let k = 0
    for (const { completionIds, entropyMask } of samples) {
      for (let t = 0; t < completionIds.length; t++, k++) {
        const counts = entropyMask?.[t] ?? 1
        this.sum += counts * (entropy[k] ?? 0)
        this.tokens += counts
      }
    }
  }

  /** After an optimizer step: the coefficient of the next. */
  update(meter: Meter): void {
    if (!this.enabled) return
    if (this.config.useAdaptiveEntropy && this.tokens > 0)
      this.state = nextState(this.state, this.sum / this.tokens, this.config)
    this.sum = 0
    this.tokens = 0
    meter.mean('entropy_coef', this.state.entropyCoef)
  }

  save(dir: string): void {
    if (this.config.useAdaptiveEntropy) writeFileSync(join(dir, file), `${JSON.stringify(this.state)}\n`)
  }

  restore(dir: string): void {
    if (!this.config.useAdaptiveEntropy || !existsSync(join(dir, file))) return
    this.state = readJson(dir, file, { accepts: isState })
  }
}

function isState(value: unknown): value is State {
  if (!isObject(value) || typeof value.entropyCoef !== 'number') return false
  return value.lastEntropy === null || typeof value.lastEntropy === 'number'
}

function nextState({ entropyCoef }: State, entropy: number, config: GRPOValues): State {
  const { entropyTarget, entropyCoefDelta: step, entropyCoefMin, entropyCoefMax } = config
  const moved =
    entropy <= entropyTarget
      ? Math.min(entropyCoef + step, entropyCoefMax)
      : Math.max(entropyCoef - step, entropyCoefMin)
  return { entropyCoef: moved, lastEntropy: entropy }
}
