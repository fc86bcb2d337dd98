/** Rewards as a configuration names them: a built-in one, or a function exported by a file. */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { didYouMean, InputError, messageOf } from '../errors.js'
import {
  accuracyReward,
  formatReward,
  lengthPenalty,
  named,
  overlongShaping,
  type RewardFunc,
  relativeAccuracyReward,
  repetitionPenalty,
} from '../rewards/index.js'
import { packageRoot } from '../setup/paths.js'
import { camelCase } from '../train/fields.js'
import type { Config } from './config.js'

const builtIn: Readonly<Record<string, () => RewardFunc>> = {
  accuracy: () => accuracyReward(),
  relativeAccuracy: () => relativeAccuracyReward(),
  'relativeAccuracy:ratio': () => relativeAccuracyReward({ measure: 'ratio' }),
  'format:think': () => formatReward('think'),
  'format:observe': () => formatReward('observe'),
  'format:vanilla': () => formatReward('vanilla'),
  length: () => lengthPenalty(),
  repetition: () => repetitionPenalty(),
}

/** Those with numbers in their names, each with what to write. */
const withNumbers: Readonly<Record<string, { form: string; make: (...numbers: number[]) => RewardFunc }>> = {
  repetition: {
    form: 'repetition:<n-gram size>:<largest penalty>, e.g. repetition:3:-1',
    make: (ngramSize, maxPenalty) => repetitionPenalty({ ngramSize, maxPenalty }),
  },
  overlong: {
    form: 'overlong:<longest completion>:<tokens before it that cost>, e.g. overlong:512:128',
    make: (maxCompletionLength = Number.NaN, cache = Number.NaN) => overlongShaping({ maxCompletionLength, cache }),
  },
}

/** TRL's names of the same rewards. */
const aliases: Readonly<Record<string, string>> = {
  accuracyReward: 'accuracy',
  thinkFormatReward: 'format:think',
  repetitionPenaltyReward: 'repetition',
}

/** The functions under `rewardFuncs`; an InputError names the one that cannot be had, and what can. */
export async function loadRewards(config: Config): Promise<RewardFunc[]> {
  const value = config.get('rewardFuncs')
  const names: readonly unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value]
  if (names.length === 0) {
    throw wrong(config, `expected a list of rewards, got nothing; e.g. [accuracy, ./rewards.mjs#short]`)
  }
  const known = names.map((name) => (typeof name === 'string' ? canonical(name) : name))
  const twice = known.find((name, i) => known.indexOf(name) < i)
  if (twice !== undefined) {
    throw wrong(config, `expected every reward once, got ${twice} twice; say in rewardWeights how much it counts`)
  }
  return Promise.all(names.map((name) => loadReward(name, config)))
}

async function loadReward(name: unknown, config: Config): Promise<RewardFunc> {
  if (typeof name !== 'string' || name === '') {
    throw wrong(config, `expected a name or ./file.mjs#name, got ${JSON.stringify(name)}`)
  }
  const known = own(builtIn, canonical(name))
  if (known) return known()
  const made = rewardWithNumbers(name, config)
  if (made) return made
  if (/[/\\#]|\.[cm]?[jt]s$/.test(name)) return importReward(name, config)
  const all = [...Object.keys(builtIn), ...Object.keys(withNumbers)]
  const listed = `${Object.keys(builtIn).join(', ')}, overlong:512:128`
  const cure = didYouMean(name, all) || didYouMean(name.split(':')[0], all, { all: listed })
  throw wrong(config, `no built-in reward is called ${name}${cure}`, 'A reward of your own is ./file.mjs#name.')
}

/** One name for all that mean the same built-in reward: TRL's, and those in snake_case. */
function canonical(name: string): string {
  const camel = camelCase(name)
  const alias = own(aliases, camel)
  return alias ?? (own(builtIn, name) ? name : own(builtIn, camel) ? camel : name)
}

/** The entry of that name, and nothing that every object has. */
function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

/** `overlong:512:128`; undefined when the name does not begin with that of such a reward. */
function rewardWithNumbers(name: string, config: Config): RewardFunc | undefined {
  const [head = '', ...rest] = name.split(':')
  const known = own(withNumbers, camelCase(head))
  if (!known) return undefined
  const numbers = rest.map((text) => (text.trim() === '' ? Number.NaN : Number(text)))
  if (numbers.length === 0 || numbers.length > 2 || numbers.some(Number.isNaN)) {
    throw wrong(config, `expected ${known.form}, got ${name}`)
  }
  try {
    return known.make(...numbers)
  } catch (error) {
    throw wrong(config, `${name}: ${messageOf(error)}; write ${known.form}`)
  }
}

async function importReward(name: string, config: Config): Promise<RewardFunc> {
  const [path = '', exported = 'default'] = name.split('#')
  const file = config.path('rewardFuncs', path)
  if (!existsSync(file)) throw wrong(config, `there is no file ${file}; a path starts from the configuration's folder`)
  if (!/\.[cm]?[jt]s$/.test(file)) {
    throw wrong(config, `expected a module (.mjs, .js) that exports the reward, got ${file}; write ./file.mjs#name`)
  }
  const reward: unknown = Reflect.get(await importFile(file, config), exported)
  if (isReward(reward)) return named(exported === 'default' ? reward.name || 'default' : exported, reward)
  throw wrong(config, `${path} does not export a function ${exported}; write ./file.mjs#name with the name it exports`)
}

async function importFile(file: string, config: Config): Promise<object> {
  try {
    const module: unknown = await import(pathToFileURL(file).href)
    return typeof module === 'object' && module !== null ? module : {}
  } catch (error) {
    throw new InputError(`${config.where('rewardFuncs')}: cannot load ${file}: ${messageOf(error)}`, {
      hint: cureOfImport(error, file),
      cause: error,
    })
  }
}

/** For a file that cannot be imported: a package that it lacks is no fault of the file. */
export function cureOfImport(error: unknown, file: string): string {
  const [, name] = /^Cannot find package '([^']+)'/.exec(messageOf(error)) ?? []
  if (name === undefined) return `Fix the file; node ${file} shows more.`
  const source = name === 'vsgrpo' ? packageRoot() : name
  return `Install it where the file finds it: npm install --prefix ${dirname(file)} ${source}`
}

/** What the function takes and gives shows when it is called; a wrong result is reported with the example's id. */
function isReward(value: unknown): value is RewardFunc {
  return typeof value === 'function'
}

function wrong(config: Config, message: string, hint?: string): InputError {
  return new InputError(`${config.where('rewardFuncs')}: ${config.told('rewardFuncs', message)}`, {
    code: 'ERR_VSGRPO_CONFIG',
    hint,
  })
}
