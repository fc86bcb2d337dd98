/** Checks of options: an InputError names the option, what was expected and what came. */
import { didYouMean, InputError } from './errors.js'

/** Throws unless `value` is an integer from `least` to `most`. */
export function checkInteger(name: string, value: number, least: number, most = Infinity): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return
  const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`
  throw new InputError(`${name}: expected an integer ${range}, got ${value}`)
}

/** The value itself when it is one of the known. */
export function oneOf<T extends string, K extends string>(name: string, value: T, known: readonly K[]): T & K {
  const found = known.find((one): one is T & K => one === String(value))
  if (found !== undefined) return found
  throw new InputError(`${name}: expected one of ${known.join(', ')}, got '${value}'${didYouMean(value, known)}`)
}
