/** Checks of the options that rewards are made with. */
import { InputError } from '../errors.js'

/** Throws an InputError unless `value` is a whole number from `least` to `most`. */
export function checkWhole(where: string, name: string, value: number, least: number, most = Infinity): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`
  throw new InputError(`[${where}] ${name}: expected a whole number ${range}, got ${value}`)
}
