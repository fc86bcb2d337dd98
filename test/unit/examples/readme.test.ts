// The README's first configuration and its reward: they work on the rows that `vsgrpo rooms` writes.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { readConfig } from '../../../src/cli/config.js'
import { describeTraining } from '../../../src/cli/grpo.js'
import { loadRewards } from '../../../src/cli/reward-funcs.js'
import { makeRooms, writeRooms } from '../../../src/data/rooms/index.js'
import type { RewardInput } from '../../../src/rewards/reward.js'

const readme = readFileSync(fileURLToPath(new URL('../../../README.md', import.meta.url)), 'utf8')
const block = (language: string): string => new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(readme)?.[1] ?? ''

it('the first configuration names what is there, and its reward a column of the rows', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'readme-'))
  writeFileSync(join(dir, 'config.yaml'), block('yaml'))
  writeFileSync(join(dir, 'my-reward.mjs'), block('js'))
  await writeRooms(join(dir, 'rooms'), makeRooms({ recipe: 'demo', count: 2, seed: 0 }))
  const { prepare, shape } = describeTraining()
  const config = readConfig(join(dir, 'config.yaml'), [], shape)
  const { trainDataset } = await prepare(config)
  const [, brief] = await loadRewards(config)
  const scored = Array.from({ length: trainDataset.length }, (_, index) => {
    const input: RewardInput = {
      text: '4',
      ids: new Int32Array(1),
      finishReason: 'stop',
      example: trainDataset.get(index),
    }
    return brief?.(input)
  })
  expect(scored).toContain(1)
  expect(scored).toContain(null)
})
