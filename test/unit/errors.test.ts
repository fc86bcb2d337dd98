/** Error classes, and the search for the nearest name. */
import { describe, expect, it } from 'vitest'
import { AbortedError, didYouMean, fromNative, InputError, isAbort, VsgrpoError } from '../../src/errors.js'

describe('errors', () => {
  it('carry code, hint and cause', () => {
    const cause = new Error('inner')
    const error = new VsgrpoError('outer', { code: 'ERR_VSGRPO_SAVE', hint: 'make room', cause })
    expect(error).toMatchObject({
      name: 'VsgrpoError',
      message: 'outer',
      code: 'ERR_VSGRPO_SAVE',
      hint: 'make room',
      cause,
    })
  })

  it('have no cause property when there is none', () => {
    expect('cause' in new VsgrpoError('x', { code: 'ERR_VSGRPO_SAVE' })).toBe(false)
  })

  it('are InputErrors with their own default code for bad input', () => {
    const error = new InputError('bad')
    expect(error).toBeInstanceOf(VsgrpoError)
    expect(error).toMatchObject({ name: 'InputError', code: 'ERR_VSGRPO_INPUT' })
    expect(new InputError('bad', { code: 'ERR_VSGRPO_DATA' }).code).toBe('ERR_VSGRPO_DATA')
  })

  it('tell an interruption from a failure', () => {
    expect([new AbortedError(), new DOMException('', 'AbortError')].every(isAbort)).toBe(true)
    expect([new Error('x'), 'ABORTED', undefined].some(isAbort)).toBe(false)
  })
})

describe('fromNative', () => {
  it('says of memory that the CPU does not have how much it was', () => {
    const what =
      "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 25600000000 bytes. Error code 12 (Cannot allocate memory)"
    const thrown = Object.assign(new Error(what), { code: 'OUT_OF_MEMORY' })
    expect(fromNative(thrown)).toMatchObject({ message: 'out of memory: 25.6 GB more are not to be had' })
  })

  it.each(['BAD_CHECKPOINT', 'BAD_JSON'])('takes %s for bad input, with the cure', (code) => {
    const thrown = Object.assign(new Error('[m/config.json: rms_norm_eps] expected a number'), { code })
    expect(fromNative(thrown)).toBeInstanceOf(InputError)
    expect(fromNative(thrown)).toMatchObject({ message: thrown.message, code: 'ERR_VSGRPO_CHECKPOINT', cause: thrown })
  })
})

describe('fromNative of an argument', () => {
  it('takes it for bad input', () => {
    const thrown = Object.assign(new Error('[temperature] expected 0 (greedy) or 0.001 to 1e6, got 0.0005'), {
      code: 'BAD_ARGUMENT',
    })
    expect(fromNative(thrown)).toBeInstanceOf(InputError)
    expect(fromNative(thrown)).toMatchObject({ message: thrown.message, code: 'ERR_VSGRPO_INPUT', cause: thrown })
  })
})

describe('didYouMean', () => {
  const names = ['learningRate', 'beta', 'epsilon', 'numGenerations']

  it('finds a name with a letter missing, added, changed or swapped', () => {
    for (const typo of ['learningRat', 'learningRatee', 'learnimgRate', 'leraningRate', 'learningrate']) {
      expect(didYouMean(typo, names)).toBe('; did you mean learningRate?')
    }
    expect(didYouMean('bta', names)).toBe('; did you mean beta?')
  })

  it('finds nothing for a name that is like none', () => {
    expect(didYouMean('temperature', names)).toBe('')
    expect(didYouMean('x', [])).toBe('')
    expect(didYouMean(undefined, names)).toBe('')
  })

  it('tells all names where none is near, if it is given them', () => {
    expect(didYouMean('temperature', names, { all: 'a, b' })).toBe('; expected one of a, b')
    expect(didYouMean('bta', names, { all: 'a, b' })).toBe('; did you mean beta?')
  })

  it('writes the name as it is written where the mistake stands', () => {
    expect(didYouMean('bta', names, { written: (name) => `--${name}` })).toBe('; did you mean --beta?')
  })
})
