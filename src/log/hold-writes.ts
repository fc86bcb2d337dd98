/**
 * Lets one writer own the last lines of a terminal: what anyone else writes to its streams (a reward's console.log, the
 * answer to Ctrl-C) is handed over in whole lines, to be put where it does no harm.
 */
export interface WritableStream {
  write(text: string): unknown
}

export interface HeldWrites {
  /** Writes to the first stream, past the hold. */
  readonly write: (text: string) => void
  /** Gives the streams back, and hands over a last line without an end. */
  readonly release: () => void
}

/** `onText` gets what others write, in lines that end. */
export function holdWrites(streams: readonly WritableStream[], onText: (lines: string) => void): HeldWrites {
  const originals = streams.map((stream) => ({ stream, own: Object.hasOwn(stream, 'write'), write: stream.write }))
  let rest = ''
  const take = (chunk: unknown, ...more: unknown[]): boolean => {
    rest += typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString()
    const end = rest.lastIndexOf('\n') + 1
    const lines = rest.slice(0, end)
    rest = rest.slice(end)
    if (lines) onText(lines)
    const done = more.find((one) => typeof one === 'function')
    if (typeof done === 'function') done()
    return true
  }
  for (const stream of streams) stream.write = take
  const [first] = originals
  return {
    write: (text) => void first?.write.call(first.stream, text),
    release() {
      for (const { stream, own, write } of originals) {
        if (own) stream.write = write
        else Reflect.deleteProperty(stream, 'write')
      }
      if (rest) first?.write.call(first.stream, `${rest}\n`)
      rest = ''
    },
  }
}
