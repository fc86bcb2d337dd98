/** `device: 'cuda'` where there is no GPU to use: one typed error from every command and from the library, and nothing left behind. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { native } from '../../src/native.js'
import { loadModel } from '../../src/policy.js'
import { base, type Ended, scratch, vsgrpo, writeConfig, writeRows } from './cli.js'

// Where a GPU and a build for it are there, they are not seen: the error is another one of the same kind.
process.env.CUDA_VISIBLE_DEVICES = ''

const tiny = fileURLToPath(new URL('../parity/fixtures/tiny-a', import.meta.url))
const folder = scratch()
const question = { messages: [{ role: 'user' as const, content: 'How many chairs?' }] }
const model = ['--model', base, '--device', 'cuda']

beforeAll(() => {
  const { dir } = folder
  writeRows(join(dir, 'rows.jsonl'), [{ ...question, answer: '3', completion: '3' }])
  writeRows(join(dir, 'pairs.jsonl'), [{ ...question, chosen: '3', rejected: '4' }])
  const task = { question: 'How many chairs?', question_type: 'object_counting', ground_truth: '3', ...question }
  writeRows(join(dir, 'questions.jsonl'), [{ ...task, id: 0, dataset: 'scannet', scene_name: 'a' }])
})

/** The cause and the cure in one line, exit code 1, no output. */
function expectNoCuda({ code, out, err }: Ended): void {
  expect(err.trimEnd()).toMatch(/^error: \[cuda\] .*(setup --cuda|nvidia-smi).*$/)
  expect({ code, out }).toEqual({ code: 1, out: '' })
}

describe('a GPU that is not there', () => {
  it('stops generate, score and eval before they write', async () => {
    const { dir } = folder
    const files = ['--input', 'rows.jsonl', '--output', 'out.jsonl']
    expectNoCuda(await vsgrpo(dir, 'generate', ...model, ...files))
    expectNoCuda(await vsgrpo(dir, 'score', ...model, ...files))
    const benchmark = ['--benchmark', 'vsi-bench', '--questions', 'questions.jsonl', '--prompt', 'row']
    expectNoCuda(await vsgrpo(dir, 'eval', ...benchmark, ...model))
    expect(existsSync(join(dir, 'out.jsonl'))).toBe(false)
  })

  it('stops grpo, sft and dpo before they make a run folder', async () => {
    const { dir } = folder
    const small = { numGenerations: 2, perDeviceTrainBatchSize: 2, maxSteps: 1, outputDir: 'run' }
    const learning = { perDeviceTrainBatchSize: 1, maxSteps: 1, outputDir: 'run' }
    const configs = {
      grpo: { trainDataset: 'rows.jsonl', rewardFuncs: ['accuracy'], args: small },
      sft: { trainDataset: 'rows.jsonl', args: learning },
      dpo: { trainDataset: 'pairs.jsonl', args: learning },
    }
    for (const [name, config] of Object.entries(configs)) {
      const file = join(dir, `${name}.yaml`)
      writeFileSync(file, JSON.stringify({ model: base, device: 'cuda', ...config }))
      expectNoCuda(await vsgrpo(dir, name, file))
      expect(existsSync(join(dir, 'run'))).toBe(false)
    }
  })

  it('is an error with a code of its own, after which the CPU works on', async () => {
    await expect(loadModel(base, { device: 'cuda' })).rejects.toMatchObject({ code: 'ERR_VSGRPO_NO_CUDA' })
    await expect(loadModel(base, { device: 'cuda', trainable: false })).rejects.toThrow(/\[cuda\]/)
    const policy = await loadModel(base, { dtype: 'float32', trainable: false })
    const prompt = await policy.processor.prompt(question.messages)
    const [answers] = await policy.generate([prompt], { maxNewTokens: 1 })
    expect(answers).toHaveLength(1)
    policy.dispose()
  })

  it('is told by the engine itself, also about its memory', async () => {
    const load = { dtype: 'float32', trainable: false, freezeVision: true } as const
    await expect(native().Model.load(tiny, { ...load, device: 'cuda' })).rejects.toMatchObject({ code: 'NO_CUDA' })
    await expect(native().gpuMemory()).rejects.toMatchObject({ code: 'NO_CUDA' })
    const wrong = { ...load, device: 'gpu' as 'cuda' }
    expect(() => native().Model.load(tiny, wrong)).toThrow(/\[device\] expected cpu or cuda, got gpu/)
  })

  it('is a line of the doctor’s that fails nothing', async () => {
    const { out } = await vsgrpo(folder.dir, 'doctor')
    expect(out).toMatch(/^optional +CUDA +/m)
  })
})

describe('a device that is none', () => {
  it('is named at the command line and in the file', async () => {
    const { dir } = folder
    const { code, err } = await vsgrpo(dir, 'score', '--model', base, '--device', 'gpu', '--input', 'rows.jsonl')
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringMatching(/'gpu' is invalid.*auto, cpu, cuda/) })
    const file = writeConfig(dir, 'wrong', { trainDataset: 'rows.jsonl', device: 'cuda:1' })
    const run = await vsgrpo(dir, 'grpo', file)
    expect(run).toMatchObject({
      code: 2,
      err: expect.stringMatching(/wrong\.yaml:\d+: device: .*auto, cpu.*cuda.*cuda:1/),
    })
  })

  it('is named by the library, with what a GPU is called', async () => {
    const load = (device: string) => loadModel(base, { device: device as 'cuda' })
    await expect(load('cuda:1')).rejects.toThrow(
      "[loadModel] device: expected 'auto', 'cpu' or 'cuda', got 'cuda:1'; a GPU is 'cuda', and CUDA_VISIBLE_DEVICES says which one",
    )
    await expect(load('tpu')).rejects.toThrow(/got 'tpu'$/)
  })
})

it('a plan for a GPU is refused: its formulas have been measured on the CPU', async () => {
  const file = writeConfig(folder.dir, 'plan', { trainDataset: 'rows.jsonl', device: 'cuda' })
  const { code, err } = await vsgrpo(folder.dir, 'plan', file)
  expect(code).toBe(2)
  expect(err).toMatch(/\[plan\] device: expected 'auto' or 'cpu', got 'cuda'.*Leave device out/)
})
