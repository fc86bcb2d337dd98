/**
 * What generation_config.json says about sampling is never inherited: the published one is nearly greedy, and would give a
 * group of equal answers, all with advantage 0.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeInitialCheckpoint } from '../../examples/demo/init-checkpoint.js'
import { loadModel } from '../../src/policy.js'
import { resolveGRPOConfig } from '../../src/train/grpo/config.js'
import { base, scratch } from './cli.js'

const folder = scratch()
const published = { do_sample: true, repetition_penalty: 1.05, temperature: 0.01, top_k: 1, top_p: 0.001 }

function read<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** A model with random weights, which finds every token about as likely as any other. */
async function writeModel(dir: string): Promise<void> {
  const tokenizerJson = read<{ added_tokens: { id: number; content: string }[] }>(join(base, 'tokenizer.json'))
  const ids = Object.fromEntries(tokenizerJson.added_tokens.map(({ id, content }) => [content, id]))
  const tokenizerConfig = read<object>(join(base, 'tokenizer_config.json'))
  const { vocab_size: vocabSize } = read<{ vocab_size: number }>(join(base, 'config.json'))
  await writeInitialCheckpoint(dir, { tokenizerJson, tokenizerConfig, ids, vocabSize }, 0)
}

/** What the model samples with these sampling settings in its generation_config.json. */
async function answers(name: string, settings: object): Promise<string[]> {
  const dir = join(folder.dir, name)
  await writeModel(dir)
  const file = join(dir, 'generation_config.json')
  writeFileSync(file, JSON.stringify({ ...read<object>(file), ...settings }))
  await using policy = await loadModel(dir, { dtype: 'float32', trainable: false })
  const prompt = await policy.processor.prompt([{ role: 'user', content: 'How many chairs?' }])
  const [group = []] = await policy.generate([prompt], { numGenerations: 24, maxNewTokens: 6, seed: 3 })
  return group.map(({ ids }) => ids.join(' '))
}

describe('sampling from a checkpoint whose generation_config.json is nearly greedy', () => {
  it('gives what it gives without these settings: 24 different answers at temperature 1', async () => {
    const sampled = await answers('greedy', published)
    expect(sampled).toEqual(await answers('plain', {}))
    expect(new Set(sampled).size).toBe(24)
  })

  it('is asked for by a run with its own settings alone', () => {
    expect(resolveGRPOConfig()).toMatchObject({ temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1 })
  })
})
