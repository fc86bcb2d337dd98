/** Options: TRL's names and defaults, and what is refused. */
import { describe, expect, it } from 'vitest'
import { InputError } from '../../../src/errors.js'
import { resolveDPOConfig } from '../../../src/train/dpo/config.js'
import { isGiven } from '../../../src/train/fields.js'
import { batchAlgebra, resolveGRPOConfig } from '../../../src/train/grpo/config.js'
import { resolveSFTConfig } from '../../../src/train/sft/config.js'

describe('resolveGRPOConfig', () => {
  it('has the defaults of TRL 1.13', () => {
    expect(resolveGRPOConfig()).toMatchObject({
      learningRate: 1e-6,
      perDeviceTrainBatchSize: 8,
      gradientAccumulationSteps: 1,
      numTrainEpochs: 3,
      maxSteps: -1,
      lrSchedulerType: 'linear',
      warmupSteps: 0,
      weightDecay: 0,
      adamBeta1: 0.9,
      adamBeta2: 0.999,
      adamEpsilon: 1e-8,
      maxGradNorm: 1,
      seed: 42,
      saveSteps: 500,
      numGenerations: 8,
      maxCompletionLength: 512,
      temperature: 1,
      topP: 1,
      topK: 0,
      repetitionPenalty: 1,
      beta: 0,
      epsilon: 0.2,
      numIterations: 1,
      lossType: 'dapo',
      scaleRewards: 'group',
      maskTruncatedCompletions: false,
    })
    expect(resolveSFTConfig().learningRate).toBe(2e-5)
  })

  it('takes snake_case and kebab-case, null for unset, and booleans for scaleRewards', () => {
    const config = resolveGRPOConfig({
      num_generations: 4,
      'learning-rate': 0.5,
      epsilon_high: null,
      scaleRewards: false,
    })
    expect(config).toMatchObject({ numGenerations: 4, learningRate: 0.5, scaleRewards: 'none' })
    expect(config.epsilonHigh).toBeUndefined()
  })

  it('takes the other ways to write a value under every way to write a name', () => {
    for (const name of ['scaleRewards', 'scale_rewards', 'scale-rewards'])
      expect(resolveGRPOConfig({ [name]: true }).scaleRewards).toBe('group')
    for (const name of ['maxLength', 'max_length', 'max-length'])
      expect(resolveSFTConfig({ [name]: null }).maxLength).toBe(0)
    for (const name of ['lossType', 'loss_type', 'loss-type'])
      expect(resolveDPOConfig({ [name]: 'ipo' }).lossType).toEqual(['ipo'])
  })

  it('repeats a wrong value as it was written', () => {
    expect(() => resolveDPOConfig({ lossType: 'ppo' })).toThrow(/lossType: expected .*, got "ppo"$/)
  })

  it.each([
    [{ learningRat: 1 }, "[args] unknown option 'learningRat'; did you mean learningRate?"],
    [{ num_generation: 4 }, 'did you mean numGenerations?'],
    [{ toString: 4 }, "unknown option 'toString'"],
    [{ learningRate: '1e-6' }, 'learningRate: expected a number >= 0, got "1e-6"'],
    [{ learningRate: Number.NaN }, 'learningRate: expected a number >= 0, got NaN'],
    [{ learningRate: Infinity }, 'learningRate: expected a number >= 0, got Infinity'],
    [{ adamBeta1: 1 }, 'adamBeta1: expected a number >= 0 and below 1, got 1'],
    [{ adamBeta2: 1 }, 'adamBeta2: expected a number >= 0 and below 1, got 1'],
    [{ adamEpsilon: 0 }, 'adamEpsilon: expected a number > 0, got 0'],
    [{ temperature: 0 }, 'temperature: expected a number from 0.001 to 1000000, got 0'],
    [{ temperature: 1e7 }, 'temperature: expected a number from 0.001 to 1000000, got 10000000'],
    [{ numGenerations: 1 }, 'numGenerations: expected an integer >= 2, got 1'],
    [{ epsilon: 0 }, 'epsilon: expected a number'],
    [
      { lossType: 'ppo' },
      "lossType: expected 'dapo', 'grpo', 'bnpo', 'dr_grpo', 'cispo', 'sapo', 'luspo', 'vespo', got \"ppo\"",
    ],
    [{ evalOnStart: 1 }, 'evalOnStart: expected true or false, got 1'],
    [
      { perDeviceTrainBatchSize: 6 },
      'perDeviceTrainBatchSize x gradientAccumulationSteps = 6: expected a multiple of numGenerations 8',
    ],
    [
      { importanceSamplingClipMin: 5 },
      'importanceSamplingClipMin: expected at most importanceSamplingClipMax 3, got 5',
    ],
    [{ warmupSteps: 1.5 }, 'warmupSteps: expected an integer >= 0, or a part of all steps, below 1, got 1.5'],
    [{ lr_scheduler_kwargs: { min_lrs: 1 } }, 'expected an object of numbers >= 0, with some of numCycles, power'],
    [{ bf16: true }, "unknown option 'bf16'; dtype: 'bfloat16' goes with the model"],
    [{ reward_weights: [1] }, "unknown option 'reward_weights'; rewardWeights stands beside rewardFuncs, not in args"],
    [{ vllm_gpu_memory_utilization: 0.3 }, 'leave it out: the engine that trains also samples'],
    [{ generationBatchSize: 12 }, 'generationBatchSize: expected a multiple of perDeviceTrainBatchSize 8, got 12'],
    [{ generationBatchSize: 16, stepsPerGeneration: 2 }, 'expected one of them, got both'],
    [
      { gradientAccumulationSteps: 2, stepsPerGeneration: 3 },
      'stepsPerGeneration: expected a multiple of gradientAccumulationSteps 2, got 3',
    ],
  ])('refuses %j', (given, message) => {
    const resolve = () => resolveGRPOConfig(given)
    expect(resolve).toThrow(InputError)
    expect(resolve).toThrow(message)
  })

  it('refuses a bigint as any other wrong value', () => {
    expect(() => resolveGRPOConfig({ seed: 10n })).toThrow('seed: expected an integer >= 0, got 10')
  })

  it('takes what TRL and transformers write in other ways', () => {
    const given = { vllm_importance_sampling_clip_max: null, report_to: [], lr_scheduler_kwargs: { min_lr_rate: 0.1 } }
    expect(resolveGRPOConfig({ ...given, warmup_steps: 0.1, logging_steps: 0.5 })).toMatchObject({
      importanceSamplingClipMax: Number.POSITIVE_INFINITY,
      reportTo: 'none',
      lrSchedulerKwargs: { minLrRate: 0.1 },
      warmupSteps: 0.1,
      loggingSteps: 0.5,
    })
  })

  it('keeps the batch algebra of TRL', () => {
    const algebra = (given: object) => batchAlgebra(resolveGRPOConfig({ numGenerations: 4, ...given }))
    expect(algebra({ perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 4 })).toMatchObject({
      promptsPerBatch: 2,
      groupsPerUpdate: 2,
      updates: 1,
    })
    expect(algebra({ perDeviceTrainBatchSize: 8, generationBatchSize: 32 })).toMatchObject({
      promptsPerBatch: 8,
      groupsPerUpdate: 2,
      updates: 4,
    })
  })
})

describe('isGiven', () => {
  it('finds a name in any way of writing, and does not count null', () => {
    expect(isGiven({ 'tokens-per-micro-batch': 64 }, 'tokensPerMicroBatch')).toBe(true)
    expect(isGiven({ tokens_per_micro_batch: null, beta: 1 }, 'tokensPerMicroBatch')).toBe(false)
  })
})
