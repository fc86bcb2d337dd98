// Event files: the bytes are TensorBoard's own, records are whole, a resumed run has no step twice.
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { InputError, VsgrpoError } from '../../../src/errors.js'
import { crc32c, eventRecord } from '../../../src/log/event-record.js'
import { type TensorBoardOptions, tensorboard } from '../../../src/log/tensorboard.js'
import type { CompletionRow, TrainEvent } from '../../../src/train/events.js'

/**
 * Four events by TensorBoard 2.21.0: `event_pb2.Event` and `text_pb` (tensorboard.plugins.text.summary_v2), serialised and
 * written by its `RecordWriter`. The events are those of the first test.
 */
const byTensorBoard = [
  '1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9',
  '100000000000000095fbfe180900001040fc54d94110ad023a020801cb79b93b',
  '3200000000000000241956ec0900006040fc54d94110ac022a240a110a0a747261696e2f6c6f7373150000803e0a0f0a08747261696e2f6b6c1500',
  '0000005b175eb2b800000000000000a0d1b53a0900008040fc54d9412aac010aa9010a06636f6e66696742940108071200428d016772c3b6c39f65',
  `3a20310a${'78'.repeat(130)}4a080a060a0474657874784f6e08`,
].join('')

/** What a reader gets out of an event. */
interface Decoded {
  readonly step: number
  readonly version?: string
  readonly starts?: boolean
  readonly scalars: Record<string, number>
  readonly texts: Record<string, string>
}

/** Protobuf fields by number; those of groups of bytes as buffers, all others as numbers. */
function fields(bytes: Buffer): { field: number; value: number | Buffer }[] {
  const found: { field: number; value: number | Buffer }[] = []
  let at = 0
  const varint = (): number => {
    const byte = bytes.readUInt8(at++)
    return byte < 128 ? byte : byte - 128 + 128 * varint()
  }
  const take = (size: number): Buffer => {
    at += size
    return bytes.subarray(at - size, at)
  }
  while (at < bytes.length) {
    const key = varint()
    const field = key >> 3
    if (key % 8 === 0) found.push({ field, value: varint() })
    else if (key % 8 === 1) found.push({ field, value: take(8).readDoubleLE() })
    else if (key % 8 === 2) found.push({ field, value: take(varint()) })
    else found.push({ field, value: take(4).readFloatLE() })
  }
  return found
}

function pick(bytes: Buffer, ...path: readonly number[]): number | Buffer | undefined {
  return path.reduce<number | Buffer | undefined>((value, wanted) => {
    return Buffer.isBuffer(value) ? fields(value).find(({ field }) => field === wanted)?.value : undefined
  }, bytes)
}

function decode(event: Buffer): Decoded {
  const summary = pick(event, 5)
  const values = Buffer.isBuffer(summary) ? fields(summary).map(({ value }) => Buffer.from(value as Buffer)) : []
  const scalars: Record<string, number> = {}
  const texts: Record<string, string> = {}
  for (const value of values) {
    const number = pick(value, 2)
    if (typeof number === 'number') scalars[String(pick(value, 1))] = number
    else if (String(pick(value, 9, 1, 1)) === 'text') texts[String(pick(value, 1))] = String(pick(value, 8, 8))
  }
  const version = pick(event, 3)
  return {
    step: Number(pick(event, 2) ?? 0),
    ...(version === undefined ? {} : { version: String(version) }),
    ...(pick(event, 7, 1) === 1 ? { starts: true } : {}),
    scalars,
    texts,
  }
}

function checked(crc: number, bytes: Buffer): Buffer {
  const plain = crc32c(bytes)
  expect(crc).toBe((((plain >>> 15) | (plain << 17)) + 0xa282ead8) >>> 0)
  return bytes
}

/** The whole records of a file, as TensorBoard reads it: a torn last one is left out. */
function readEvents(file: string): Decoded[] {
  const bytes = readFileSync(file)
  const events: Decoded[] = []
  for (let at = 0; at + 12 <= bytes.length; ) {
    const size = Number(checked(bytes.readUInt32LE(at + 8), bytes.subarray(at, at + 8)).readBigUInt64LE())
    if (at + 16 + size > bytes.length) break
    const data = bytes.subarray(at + 12, at + 12 + size)
    events.push(decode(checked(bytes.readUInt32LE(at + 12 + size), data)))
    at += 16 + size
  }
  return events
}

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tensorboard-'))
})

function files(): string[] {
  return readdirSync(dir).sort()
}

function play(events: readonly TrainEvent[], options: TensorBoardOptions = {}): Decoded[] {
  const reporter = tensorboard(dir, options)
  for (const event of events) void reporter.onEvent(event)
  void reporter.close?.()
  return readEvents(join(dir, files().at(-1) ?? ''))
}

function start(step = 0): TrainEvent {
  return { type: 'start', config: { seed: 3 }, totalSteps: 9, step }
}
function step(n: number, metrics = { reward: 0.5 }): TrainEvent {
  return { type: 'step', step: n, epoch: 0, metrics, tokensPerSecond: 1, secondsLeft: 1 }
}
const row: CompletionRow = {
  step: 1,
  exampleId: 'a',
  question: 'How many | chairs?',
  answer: 4,
  completion: '<think>two &\n*two*</think>',
  rewards: {},
  reward: null,
  advantage: 0,
}

describe('eventRecord', () => {
  it('gives the bytes that TensorBoard gives', () => {
    const records = [
      eventRecord({ kind: 'version' }, { wallTime: 1700000000.25, step: 0 }),
      eventRecord({ kind: 'start' }, { wallTime: 1700000000.25, step: 301 }),
      eventRecord(
        { kind: 'scalars', values: { 'train/loss': 0.25, 'train/kl': 0 } },
        { wallTime: 1700000001.5, step: 300 },
      ),
      eventRecord(
        { kind: 'text', tag: 'config', text: `größe: 1\n${'x'.repeat(130)}` },
        { wallTime: 1700000002, step: 0 },
      ),
    ]
    expect(Buffer.concat(records).toString('hex')).toBe(byTensorBoard)
  })

  it('has the check value of CRC-32C', () => {
    expect(crc32c(Buffer.from('123456789')).toString(16)).toBe('e3069283')
  })
})

describe('tensorboard', () => {
  it("writes every metric under transformers' tags, at its step", () => {
    const events = play([
      start(),
      step(1),
      { type: 'eval', step: 1, metrics: { eval_reward: 0.75 } },
      step(2, { reward: 0.25 }),
    ])
    expect(events[0]?.version).toBe('brain.Event:2')
    expect(events.slice(3).map(({ step, scalars }) => [step, scalars])).toEqual([
      [1, { 'train/reward': 0.5 }],
      [1, { 'eval/reward': 0.75 }],
      [2, { 'train/reward': 0.25 }],
    ])
  })

  it('writes the configuration as text', () => {
    expect(play([start()])[2]?.texts).toEqual({ config: '```\n{\n  "seed": 3\n}\n```' })
  })

  it('shows the first completions as a table in which their own signs are no markup', () => {
    const events = play([start(), { type: 'completions', step: 4, rows: [row, row, row] }], { completions: 2 })
    const lines = events[3]?.texts.completions?.split('\n')
    expect(events[3]?.step).toBe(4)
    expect(lines).toHaveLength(4)
    expect(lines?.[2]).toBe(String.raw`| How many \| chairs? | 4 | &lt;think>two &amp;<br>\*two\*&lt;/think> |  |`)
  })

  it('shows no completions when told so', () => {
    expect(play([start(), { type: 'completions', step: 1, rows: [row] }], { completions: 0 })).toHaveLength(3)
  })

  it('names files after second, machine, process and number, and never writes into an older one', () => {
    const now = () => 1_700_000_000_900
    play([start()], { now })
    const [first = ''] = files()
    const before = readFileSync(join(dir, first), 'hex')
    play([start(), step(1)], { now })
    const stem = `events.out.tfevents.1700000000.${hostname()}.${process.pid}`
    expect(files()).toEqual([`${stem}.0`, `${stem}.1`])
    expect(readFileSync(join(dir, first), 'hex')).toBe(before)
  })

  it('makes readers drop later steps when it goes on from a checkpoint, and all steps when it starts anew', () => {
    const marks = (events: readonly Decoded[]) => events.filter(({ starts }) => starts).map(({ step }) => step)
    expect(marks(play([start(0), step(1)]))).toEqual([0])
    expect(marks(play([start(300), step(301)]))).toEqual([301])
  })

  it('has every event on disk at once, and a torn last record costs no other', () => {
    const reporter = tensorboard(dir)
    for (const event of [start(), step(1), step(2)]) void reporter.onEvent(event)
    const file = join(dir, files()[0] ?? '')
    expect(readEvents(file).map(({ step }) => step)).toEqual([0, 0, 0, 1, 2])
    appendFileSync(file, eventRecord({ kind: 'version' }, { wallTime: 1, step: 3 }).subarray(0, 20))
    expect(readEvents(file)).toHaveLength(5)
    void reporter.close?.()
    void reporter.close?.()
  })

  it('says which file it cannot write and what to do', () => {
    const file = join(dir, 'taken')
    writeFileSync(file, '')
    const open = () => tensorboard(join(file, 'below')).onEvent(start())
    expect(open).toThrow(VsgrpoError)
    expect(open).toThrow(/taken\/below: a part of that path is a file/)
  })

  it('refuses a number of completions that is none', () => {
    expect(() => tensorboard(dir, { completions: -1 })).toThrow(InputError)
    expect(() => tensorboard(dir, { completions: 1.5 })).toThrow(
      '[tensorboard] completions: expected an integer of at least 0, got 1.5',
    )
  })
})
