// What people see of a run: a block on a terminal, lines elsewhere.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type ProgressOptions, progress } from '../../../src/log/progress.js'
import type { Reporter } from '../../../src/log/reporter.js'
import type { TrainEvent } from '../../../src/train/events.js'

const esc = '\u001b'

function stream(isTTY: boolean, columns = 80) {
  const writes: string[] = []
  return { isTTY, columns, writes, write: (text: string) => void writes.push(text), text: () => writes.join('') }
}

/** The screen that a terminal would show after all writes: only what the block uses (up, clear, new line) is known. */
function screen(writes: readonly string[]): string[] {
  const lines: string[] = ['']
  let [row, column] = [0, 0]
  const codes = new RegExp(`${esc}\\[(\\??\\d*)([A-Za-z])|\\n|\\r|[^${esc}\\n\\r]+`, 'g')
  for (const [token, count, code] of writes.join('').matchAll(codes)) {
    const line = lines[row] ?? ''
    if (code === 'A') row = Math.max(0, row - Number(count))
    else if (code === 'K' || code === 'J') lines[row] = line.slice(0, column)
    else if (token === '\n') lines[++row] ??= ''
    else if (!code && token !== '\r')
      lines[row] = line.slice(0, column).padEnd(column) + token + line.slice(column + token.length)
    if (code === 'J') lines.length = row + 1
    if (token === '\n' || token === '\r') column = 0
    else if (!code) column += token.length
  }
  return lines
}

function step(n: number, extra: Record<string, number> = {}): TrainEvent {
  const metrics = {
    loss: 0.01,
    reward: n / 10,
    'rewards/accuracy/mean': 0.4,
    kl: 0.0123,
    entropy: 0.81,
    'completions/mean_length': 12.5,
    ...extra,
  }
  return { type: 'step', step: n, epoch: 0, metrics, tokensPerSecond: 12_345, secondsLeft: 192 }
}
const start: TrainEvent = { type: 'start', config: {}, totalSteps: 10, step: 0 }
let open: Reporter | undefined

function show(to: ReturnType<typeof stream>, options: ProgressOptions): Reporter {
  open = progress(to, options)
  return open
}
afterEach(() => {
  void open?.close?.()
  vi.useRealTimers()
})

describe('on a terminal', () => {
  it('shows one block with step, bar, numbers, speed and time left', () => {
    let now = 0
    const to = stream(true)
    const shown = show(to, { now: () => now, env: { NO_COLOR: '1' } })
    void shown.onEvent(start)
    for (let n = 1; n <= 5; n++) {
      now += 1000
      void shown.onEvent(step(n))
    }
    void shown.onEvent({ type: 'eval', step: 5, metrics: { eval_reward: 0.75, 'eval_rewards/accuracy/mean': 0.6 } })
    expect(screen(to.writes)).toEqual([
      'step 5/10  ███████████████░░░░░░░░░░░░░░░ 50%  3m 12s left, 5s gone',
      '  reward 0.5       accuracy 0.4     KL 0.0123        entropy 0.81',
      '  length 12.5      12.3k tokens/s',
      '  reward ▁▃▄▇█',
      '  eval: reward 0.75  accuracy 0.6 at step 5',
      '',
    ])
  })

  it('redraws at most ten times a second, and always the last step', () => {
    let now = 0
    const to = stream(true)
    const shown = show(to, { now: () => now, env: {} })
    void shown.onEvent({ ...start, totalSteps: 1000 })
    for (let n = 1; n <= 1000; n++) {
      now += 5
      void shown.onEvent(step(n))
    }
    expect(to.writes.length).toBeLessThan(55)
    expect(screen(to.writes).join('\n')).toMatch(/1000\/1000/)
  })

  it('keeps every line within a narrow terminal', () => {
    const to = stream(true, 32)
    const shown = show(to, { now: () => 0, env: { NO_COLOR: '1' } })
    void shown.onEvent(start)
    void shown.onEvent({ type: 'checkpoint', step: 1, dir: '/a/very/long/path/to/a/checkpoint/step-1' })
    void shown.onEvent(step(10))
    for (const line of screen(to.writes)) expect(line.length).toBeLessThanOrEqual(31)
  })

  it('keeps its numbers in their columns from step to step', () => {
    const to = stream(true)
    const shown = show(to, { now: () => 0, env: { NO_COLOR: '1' } })
    void shown.onEvent(start)
    const columns = [0.5, 0.6875].map((reward) => {
      void shown.onEvent(step(10, { reward, 'rewards/accuracy/mean': reward }))
      return screen(to.writes)[1]?.indexOf('KL')
    })
    expect(columns[0]).toBe(columns[1])
  })

  it('uses no more lines than the terminal has', () => {
    const to = { ...stream(true), rows: 4 }
    const shown = show(to, { now: () => 0, env: { NO_COLOR: '1' } })
    void shown.onEvent(start)
    void shown.onEvent({ type: 'eval', step: 5, metrics: { eval_reward: 0.75 } })
    void shown.onEvent(step(10))
    expect(screen(to.writes)).toHaveLength(4)
  })

  it('leaves nothing behind when the terminal has become wider', () => {
    const to = stream(true, 40)
    const shown = show(to, { now: () => 0, env: { NO_COLOR: '1' } })
    void shown.onEvent(start)
    void shown.onEvent(step(10))
    expect(screen(to.writes)).toHaveLength(5)
    to.columns = 120
    void shown.onEvent(step(10))
    expect(screen(to.writes)).toEqual([
      expect.stringMatching(/^step/),
      expect.stringMatching(/KL.*tokens/),
      expect.stringMatching(/reward ▄*/),
      '',
    ])
  })

  it('takes a terminal that does not know its size to be 80 wide', () => {
    const to = { ...stream(true), columns: 0, rows: 0 }
    const shown = show(to, { now: () => 0, env: { NO_COLOR: '1' } })
    void shown.onEvent(start)
    void shown.onEvent(step(10))
    expect(screen(to.writes)[0]).toHaveLength('step 10/10  100%  3m 12s left, 0s gone'.length + 31)
  })

  it('puts what others write above the block, in whole lines, and gives the stream back', () => {
    const to = stream(true)
    const own = to.write
    const shown = show(to, { now: () => 0, env: { NO_COLOR: '1' } })
    void shown.onEvent(start)
    to.write('a reward ')
    void shown.onEvent(step(10))
    to.write('says this\nand this')
    expect(screen(to.writes)[0]).toBe('a reward says this')
    expect(screen(to.writes)[1]).toMatch(/^step 10/)
    void shown.close?.()
    expect(screen(to.writes).at(-2)).toBe('and this')
    expect(to.write).toBe(own)
  })

  it('prints warnings above the block and keeps them', () => {
    const to = stream(true)
    const shown = show(to, { now: () => 0, env: { NO_COLOR: '1' } })
    void shown.onEvent(start)
    void shown.onEvent({ type: 'warning', message: 'all rewards are equal' })
    void shown.onEvent(step(10))
    expect(screen(to.writes)[0]).toBe('warning: all rewards are equal')
    expect(screen(to.writes)[1]).toMatch(/^step 10\/10/)
  })

  it('hides the cursor while it draws and gives it back once', () => {
    const to = stream(true)
    const shown = show(to, { now: () => 0, env: {} })
    void shown.onEvent(start)
    void shown.close?.()
    void shown.close?.()
    expect(to.text().split(`${esc}[?25l`)).toHaveLength(2)
    expect(to.writes.at(-1)).toBe(`${esc}[?25h`)
    expect(to.text().split(`${esc}[?25h`)).toHaveLength(2)
    expect(process.listeners('exit').some((listener) => listener.name === 'restore')).toBe(false)
  })

  it('uses colour unless NO_COLOR is set', () => {
    for (const [env, coloured] of [
      [{}, true],
      [{ NO_COLOR: '1' }, false],
    ] as const) {
      const to = stream(true)
      const shown = show(to, { now: () => 0, env })
      void shown.onEvent(start)
      void shown.close?.()
      expect(to.text().includes(`${esc}[1m`)).toBe(coloured)
    }
  })

  it('counts the time left down between slow steps', () => {
    vi.useFakeTimers()
    const to = stream(true)
    const shown = show(to, { env: { NO_COLOR: '1' } })
    void shown.onEvent(start)
    void shown.onEvent(step(10))
    vi.advanceTimersByTime(12_000)
    expect(screen(to.writes)[0]).toMatch(/3m 00s left, 12s gone/)
  })

  it('writes plain lines when the terminal is dumb', () => {
    const to = stream(true)
    void show(to, { now: () => 0, env: { TERM: 'dumb' } }).onEvent(start)
    expect(to.text()).toBe('training for 10 steps\n')
  })
})

describe('elsewhere', () => {
  it('writes a line at the first step, then every few seconds, then at the end', () => {
    let now = 0
    const to = stream(false)
    const shown = show(to, { now: () => now, env: {} })
    void shown.onEvent(start)
    for (let n = 1; n <= 9; n++) {
      now += 1000
      void shown.onEvent(step(n))
    }
    void shown.onEvent({ type: 'checkpoint', step: 9, dir: 'runs/x/checkpoints/step-9' })
    void shown.onEvent({ type: 'end', step: 9, reason: 'aborted' })
    expect(to.text().trimEnd().split('\n')).toEqual([
      'training for 10 steps',
      'step 1/10  reward 0.1  accuracy 0.4  KL 0.0123  entropy 0.81  length 12.5  12.3k tokens/s  3m 12s left',
      'step 6/10  reward 0.6  accuracy 0.4  KL 0.0123  entropy 0.81  length 12.5  12.3k tokens/s  3m 12s left',
      'checkpoint runs/x/checkpoints/step-9',
      'step 9/10  reward 0.9  accuracy 0.4  KL 0.0123  entropy 0.81  length 12.5  12.3k tokens/s  3m 12s left',
      'interrupted at step 9 after 9s; --resume goes on from here',
    ])
    expect(to.text()).not.toContain(esc)
  })

  it('shows NaN as NaN', () => {
    const to = stream(false)
    const shown = show(to, { now: () => 0, env: {} })
    void shown.onEvent(start)
    void shown.onEvent(step(1, { reward: Number.NaN }))
    expect(to.text()).toContain('reward NaN')
  })
})
