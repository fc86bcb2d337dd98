/** How errors show values. */
import { describe, expect, it } from 'vitest'
import { shown } from '../../src/json.js'

describe('a value in an error', () => {
  it.each([
    [undefined, 'nothing'],
    [null, 'null'],
    ['16', '"16"'],
    [1e-6, '0.000001'],
    [Number.NaN, 'NaN'],
    [-Infinity, '-Infinity'],
    [10n, '10'],
    [{ numCycles: 2 }, '{"numCycles":2}'],
    [[1, 10n, Number.NaN], '[1,"10","NaN"]'],
    [() => 0, 'function'],
    ['a'.repeat(80), `"${'a'.repeat(59)}…`],
  ])('%o is shown as %s', (value, text) => {
    expect(shown(value)).toBe(text)
  })

  it('may be nested more deeply than JSON is written', () => {
    let nested: unknown = 1
    for (let depth = 0; depth < 100_000; depth++) nested = [nested]
    expect(shown(nested)).toBe('something nested too deeply')
  })
})
