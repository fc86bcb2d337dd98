/** What `loadModel` makes of an adapter's folder: plain LoRA is taken as it is, anything else is refused by name. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { InputError } from '../../../src/errors.js'
import { findModel, type LoraConfig } from '../../../src/policy/load-model.js'
import { scratch } from '../train/harness.js'

const folder = scratch()

/** A base, and an adapter as PEFT writes it, with some fields changed. */
function adapter(changes: object = {}): string {
  const [base, dir] = [join(folder.dir, 'base'), join(folder.dir, 'adapter')]
  mkdirSync(base, { recursive: true })
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(base, 'config.json'), JSON.stringify({ model_type: 'qwen2_vl' }))
  writeFileSync(join(base, 'model.safetensors'), '')
  const plain = {
    ...{ peft_type: 'LORA', base_model_name_or_path: base, r: 8, lora_alpha: 32, target_modules: ['v_proj', 'q_proj'] },
    ...{ bias: 'none', use_rslora: false, use_dora: false, rank_pattern: {}, alpha_pattern: {}, modules_to_save: null },
    ...{ lora_dropout: 0.05, layers_to_transform: null, init_lora_weights: true, exclude_modules: null },
  }
  writeFileSync(join(dir, 'adapter_config.json'), JSON.stringify({ ...plain, ...changes }))
  return dir
}

describe("an adapter's folder", () => {
  it('says rank, alpha and layers by itself', () => {
    const dir = adapter()
    const lora = { r: 8, alpha: 32, targetModules: ['v_proj', 'q_proj'], seed: 0 }
    expect(findModel(dir, {})).toEqual({ dir: join(folder.dir, 'base'), lora, adapterDir: dir })
    expect(findModel(dir, { lora: { r: 8, alpha: 32, targetModules: ['q_proj', 'v_proj'] } }).lora).toEqual(lora)
  })

  it.each([
    [{ use_rslora: true }, 'use_rslora: true is not supported'],
    [{ use_dora: true }, 'use_dora: true is not supported'],
    [{ alpha_pattern: { q_proj: 4 } }, 'alpha_pattern: {"q_proj":4} is not supported'],
    [{ modules_to_save: ['lm_head'] }, 'modules_to_save: ["lm_head"] is not supported'],
    [{ layers_to_transform: [0] }, 'layers_to_transform: [0] is not supported'],
    [{ bias: 'all' }, 'bias: "all" is not supported'],
    [{ peft_type: 'IA3' }, 'peft_type: "IA3" is not supported'],
  ])('is refused with %j', (changes, message) => {
    const find = () => findModel(adapter(changes), {})
    expect(find).toThrow(InputError)
    expect(find).toThrow(`${message}, only plain LoRA is; merge the adapter into its base`)
  })

  it.each<[LoraConfig, string]>([
    [{ r: 16, alpha: 32 }, '[lora] r: expected 8, which the adapter in'],
    [{ r: 8 }, '[lora] alpha: expected 32, which the adapter in'],
    [
      { r: 8, alpha: 32, targetModules: ['q_proj'] },
      '[lora] targetModules: expected q_proj, v_proj, which the adapter in',
    ],
  ])('is refused where other adapters are asked for: %j', (lora, message) => {
    expect(() => findModel(adapter(), { lora })).toThrow(message)
  })
})
