/**
 * Direct preference optimisation: of two answers to a prompt, make the chosen one likelier than the rejected one, measured
 * from a reference policy (arXiv 2305.18290). TRL 1.13's `DPOTrainer` names and arithmetic. Both answers hang on one prompt,
 * which is computed once.
 */
import { InputError } from '../../errors.js'
import type { Algorithm, RunContext } from '../algorithm.js'
import { syncReference } from '../reference-sync.js'
import { countTokens, sequencesOf } from '../units.js'
import { comparesBatch } from './config.js'
import { compareBatch, makeObjective } from './objective.js'
import { type DPOParts, type DPOSample, readUnits } from './pairs.js'

/** One optimizer step per batch of pairs. Throws an InputError without a reference. */
export function dpo(parts: DPOParts): Algorithm<DPOSample> {
  const { config, reference, precomputed } = parts
  if (!reference && !precomputed)
    throw new InputError('[dpo] expected a reference policy or precomputed scores, got none')
  return {
    name: 'dpo',
    temperature: 1,
    logitMean: true,
    prepare: (indices, run) => prepare(indices, run, parts),
    refresh: comparesBatch(config) ? (units, run) => compareBatch(units, run, config) : undefined,
    loss: (samples) => makeObjective(samples, config),
    ...syncReference(reference, config),
  }
}

async function prepare(indices: readonly number[], run: RunContext, parts: DPOParts) {
  const { units, warnings } = await readUnits(indices, run, parts, parts.config.perDeviceTrainBatchSize)
  return { updates: [units], tokens: countTokens(sequencesOf(units)), warnings }
}
