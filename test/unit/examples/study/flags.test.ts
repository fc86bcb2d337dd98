/** The study's flags: read in plain JavaScript, so that a mistake is told before anything is installed or built. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { checkFlags, readFlags } from '../../../../examples/study/flags.mjs'

describe('the study’s flags', () => {
  it('have defaults, and counts as numbers', () => {
    expect(readFlags(['--full', '--seeds', '5', '--jobs=1'])).toMatchObject({
      ...{ full: true, list: false, seeds: 5, jobs: 1 },
    })
  })

  it.each([
    [['--sede', '5'], "Unknown option '--sede'; known are --full, --tune"],
    [['sft'], "Unexpected argument 'sft'"],
    [['--seeds'], "Option '--seeds <value>' argument missing; known are"],
    [['--seeds', '11'], "--seeds: expected an integer from 1 to 10, got '11'"],
    [['make-base', '--room', '3'], "Unknown option '--room'; known are --output …, --rooms …"],
    [['cell', 'sft-1', '--lis'], "Unknown option '--lis'"],
  ])('refuse %j with what to do', (args, message) => {
    expect(() => checkFlags(args)).toThrow(TypeError)
    expect(() => checkFlags(args)).toThrow(message)
  })

  it('are read before anything is set up', () => {
    const run = fileURLToPath(new URL('../../../../examples/study/run.mjs', import.meta.url))
    const { status, stderr } = spawnSync(process.execPath, [run, '--sede', '5'], { encoding: 'utf8', timeout: 20_000 })
    expect(status).toBe(2)
    expect(stderr).toMatch(/^error: Unknown option '--sede'; known are .*\n$/)
  })
})
