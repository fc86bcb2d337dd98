import { describe, expect, it } from 'vitest'
import { bench } from './bench.js'

interface Table {
  tableOf(results: readonly object[]): string
  insertTable(text: string, table: string): string
}

const { tableOf, insertTable } = await bench<Table>('table.mjs')

const result = {
  benchmark: 'grpo-step',
  workload: 'A',
  shape: { promptTokens: 140, questions: 1, group: 8, newTokens: 32 },
  ours: { secondsPerStep: 2, peakBytes: 3e9 },
  peer: { name: 'trl', secondsPerStep: 8.123, peakBytes: 2.5e9 },
  ratio: 4.0615,
  ratioRange: [3.9, 4.25],
  commit: '0123456789',
}

describe('the table of benchmarks', () => {
  it('has a line for each result with a peer', () => {
    const [, , ...rows] = tableOf([result, { checkpointBytes: 1 }]).split('\n')
    const expected =
      '| `grpo-step` A: 140 + 32 tokens, 8 completions | 2.00 s | trl: 8.12 s | **4.06x** (3.90x to 4.25x) | 3.00 GB, 2.50 GB | 0123456 |'
    expect(rows).toEqual([expected])
  })

  it('compares rates and sizes where these are what is measured', () => {
    const { ours, peer } = result
    const rate = {
      ...result,
      benchmark: 'generate',
      ours: { ...ours, tokensPerSecond: 512 },
      peer: { ...peer, tokensPerSecond: 64 },
    }
    expect(tableOf([rate])).toContain('| 512 tokens/s | trl: 64 tokens/s |')
    expect(tableOf([{ ...result, benchmark: 'memory' }])).toContain('| 3.00 GB | trl: 2.50 GB |')
  })

  it('counts pairs where there are pairs', () => {
    const dpo = { ...result, benchmark: 'dpo', shape: { promptTokens: 140, pairs: 4, newTokens: 32 } }
    expect(tableOf([dpo])).toContain('| `dpo` A: 140 + 32 tokens, 4 pairs | 2.00 s |')
  })

  it('goes between its markers and nowhere else', () => {
    const text = 'before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n'
    expect(insertTable(text, 'new')).toBe('before\n<!-- bench -->\nnew\n<!-- /bench -->\nafter\n')
    expect(() => insertTable('no markers', 'new')).toThrow('expected <!-- bench -->')
  })
})
