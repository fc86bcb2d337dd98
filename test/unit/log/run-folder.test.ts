// The run folder: rows are whole, a resumed run has no step twice, and a full disk spoils nothing.
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { AtomicFile, writeAtomically } from '../../../src/atomic-file.js'
import { VsgrpoError } from '../../../src/errors.js'
import { LineFile, readLines, truncateAfter } from '../../../src/log/lines.js'
import { readFacts, runFolder } from '../../../src/log/run-folder.js'
import type { CompletionRow, TrainEvent } from '../../../src/train/events.js'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'run-'))
})

function step(n: number, reward = 0.5): TrainEvent {
  return { type: 'step', step: n, epoch: n / 10, metrics: { reward }, tokensPerSecond: 1, secondsLeft: 1 }
}
const row: CompletionRow = {
  step: 1,
  exampleId: 'a',
  question: 'q',
  completion: 'c',
  rewards: {},
  reward: 1,
  advantage: 0,
}

function play(events: readonly TrainEvent[], now?: () => number): void {
  const folder = runFolder(dir, now ? { now } : {})
  for (const event of events) void folder.onEvent(event)
  void folder.close?.()
}

describe('runFolder', () => {
  it('writes the configuration, a row for every step and evaluation, and the completions', () => {
    play([
      { type: 'start', config: { seed: 3 }, totalSteps: 2, step: 0 },
      { type: 'completions', step: 1, rows: [row, { ...row, exampleId: 'b' }] },
      step(1),
      { type: 'eval', step: 1, metrics: { eval_reward: 0.7 } },
      { type: 'end', step: 1, reason: 'finished' },
    ])
    expect(JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'))).toEqual({ seed: 3 })
    expect(readLines(join(dir, 'metrics.jsonl'))).toEqual([
      { step: 1, epoch: 0.1, reward: 0.5 },
      { step: 1, epoch: 0.1, eval_reward: 0.7 },
    ])
    expect(readLines(join(dir, 'completions.jsonl')).map(({ exampleId }) => exampleId)).toEqual(['a', 'b'])
  })

  it('drops what lies past the resumed step, so that no step appears twice', () => {
    play([{ type: 'start', config: {}, totalSteps: 4, step: 0 }, step(1), step(2), step(3)])
    play([{ type: 'start', config: {}, totalSteps: 4, step: 2 }, step(3, 0.9), step(4)])
    expect(readLines(join(dir, 'metrics.jsonl')).map(({ step, reward }) => [step, reward])).toEqual([
      [1, 0.5],
      [2, 0.5],
      [3, 0.9],
      [4, 0.5],
    ])
  })

  it('starts anew when the run starts at step 0, and keeps what earlier runs have said', () => {
    for (const seed of [1, 2]) play([{ type: 'start', config: { seed }, totalSteps: 1, step: 0 }, step(1)])
    play([{ type: 'start', config: {}, totalSteps: 1, step: 0 }])
    expect(readLines(join(dir, 'metrics.jsonl'))).toEqual([])
    for (const n of [1, 2]) {
      const earlier = join(dir, `earlier-${n}`)
      expect(JSON.parse(readFileSync(join(earlier, 'config.json'), 'utf8'))).toEqual({ seed: n })
      expect(readLines(join(earlier, 'metrics.jsonl'))).toHaveLength(1)
    }
  })

  it('adds up the seconds and sessions of a resumed run', () => {
    let time = 0
    const clock = (): number => time
    const folder = runFolder(dir, { now: clock })
    void folder.onEvent({ type: 'start', config: {}, totalSteps: 4, step: 0 })
    time = 10_000
    void folder.onEvent({ type: 'checkpoint', step: 2, dir: 'x' })
    time = 99_000 // killed here: the work since the checkpoint is lost
    void folder.close?.()
    play([{ type: 'start', config: {}, totalSteps: 4, step: 2 }], clock)
    const again = runFolder(dir, { now: clock })
    void again.onEvent({ type: 'start', config: {}, totalSteps: 4, step: 2 })
    time += 5000
    void again.onEvent({ type: 'end', step: 4, reason: 'aborted' })
    void again.close?.()
    expect(readFacts(dir)).toMatchObject({ seconds: 15, sessions: 3, step: 4, state: 'aborted' })
  })

  it('writes values that JSON does not know as null', () => {
    play([{ type: 'start', config: {}, totalSteps: 1, step: 0 }, step(1, Number.NaN)])
    expect(readFileSync(join(dir, 'metrics.jsonl'), 'utf8')).toBe('{"step":1,"epoch":0.1,"reward":null}\n')
  })

  it('leaves no temporary files', () => {
    play([{ type: 'start', config: {}, totalSteps: 1, step: 0 }, step(1), { type: 'end', step: 1, reason: 'finished' }])
    expect(readdirSync(dir).sort()).toEqual(['completions.jsonl', 'config.json', 'metrics.jsonl', 'run.json'])
  })
})

describe('JSON Lines', () => {
  it('reads past a line that a crash has torn, and cuts it off when the run goes on', () => {
    const file = join(dir, 'rows.jsonl')
    writeFileSync(file, '{"step":1}\n{"step":2}\n{"ste')
    expect(readLines(file)).toEqual([{ step: 1 }, { step: 2 }])
    truncateAfter(file, 5)
    expect(readFileSync(file, 'utf8')).toBe('{"step":1}\n{"step":2}\n')
  })

  it.skipIf(!existsSync('/dev/full'))('says that the disk is full, and what to do', () => {
    const file = new LineFile('/dev/full')
    expect(() => file.append([{ step: 1 }])).toThrow(/cannot write \/dev\/full: the disk is full: free some space/)
    file.close()
  })
})

describe('writeAtomically', () => {
  it('keeps the old file when the new one is discarded', () => {
    const file = join(dir, 'a.txt')
    writeAtomically(file, 'old')
    const next = new AtomicFile(file)
    next.write('half')
    expect(readFileSync(file, 'utf8')).toBe('old')
    next.discard()
    expect(readdirSync(dir)).toEqual(['a.txt'])
    expect(readFileSync(file, 'utf8')).toBe('old')
  })

  it('names the file and the cure when it cannot be written', () => {
    writeFileSync(join(dir, 'file'), '')
    const attempt = (): void => writeAtomically(join(dir, 'file', 'a.txt'), 'x')
    expect(attempt).toThrow(VsgrpoError)
    expect(attempt).toThrow(/cannot write .*file\/a.txt: .*choose another folder|EEXIST/)
  })
})
