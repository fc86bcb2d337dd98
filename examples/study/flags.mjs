/** The study's flags. Plain JavaScript: `run.mjs` reads them before anything is installed or built. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'

const studyFlags = {
  full: { type: 'boolean', default: false },
  tune: { type: 'boolean', default: false },
  smoke: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  report: { type: 'boolean', default: false },
  save: { type: 'boolean', default: false },
  'go-on': { type: 'boolean', default: false },
  jobs: { type: 'string', default: String(availableParallelism()) },
  seeds: { type: 'string', default: '3' },
  cells: { type: 'string' },
  output: { type: 'string' },
  base: { type: 'string' },
}

const baseFlags = {
  output: { type: 'string', default: 'runs/study-base' },
  rooms: { type: 'string', default: '8000' },
  steps: { type: 'string', default: '2500' },
  resume: { type: 'boolean', default: false },
}

/** Reads whatever the arguments are for; throws a TypeError as the others do. */
export function checkFlags([first, ...rest]) {
  if (first === 'make-base') readBaseFlags(rest)
  else if (first === 'cell') readFlags(rest.slice(1))
  else if (first !== undefined) readFlags([first, ...rest])
}

/** The study's values; throws a TypeError that says what is wrong and which flags there are. */
export function readFlags(args) {
  const values = read(args, studyFlags)
  return { ...values, seeds: count('seeds', values.seeds, 10), jobs: count('jobs', values.jobs, 256) }
}

/** Those of `make-base`. */
export function readBaseFlags(args) {
  const values = read(args, baseFlags)
  return { ...values, rooms: count('rooms', values.rooms, 1e6), steps: count('steps', values.steps, 1e6) }
}

function read(args, options) {
  try {
    return parseArgs({ args: [...args], options }).values
  } catch (error) {
    // Past its first sentence Node explains positional arguments, of which there are none.
    const [what] = error.message.split('. ')
    const known = Object.entries(options).map(([name, { type }]) => `--${name}${type === 'string' ? ' …' : ''}`)
    throw new TypeError(`${what}; known are ${known.join(', ')}`, { cause: error })
  }
}

function count(name, given, most) {
  const value = Number(given)
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw new TypeError(`--${name}: expected an integer from 1 to ${most}, got '${given}'`)
}
