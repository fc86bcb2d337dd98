/** What commands say while they work: on stderr, so that it is never among their results. */
import { duration } from '../log/format.js'

export type Progress = (done: number, total: number) => void

const everyMs = 5000

export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Says `3/8 rooms` now and then, and when all is done. */
export function sayCount(what: string): Progress {
  return nowAndThen((done, total) => say(`${done}/${total} ${what}`))
}

/** The same with the time that is left, and at the end the time that it took. `before`: how many were done already. */
export function sayTimeLeft(what: string, { before = 0, tell = say } = {}): Progress {
  const startedAt = Date.now()
  return nowAndThen((done, total) => {
    const seconds = (Date.now() - startedAt) / 1000
    const left = (seconds * (total - done)) / (done - before)
    tell(`${done}/${total} ${what}  ${done < total ? `${duration(left)} left` : `in ${duration(seconds)}`}`)
  })
}

function nowAndThen(tell: Progress): Progress {
  let toldAt = Date.now()
  return (done, total) => {
    if (done < total && Date.now() - toldAt < everyMs) return
    toldAt = Date.now()
    tell(done, total)
  }
}
