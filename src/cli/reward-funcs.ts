/** Rewards as a configuration names them: a built-in one, or a function exported by a file. */
import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { InputError, messageOf, nearest } from '../errors.js'
import { accuracyReward, formatReward, named, type RewardFunc, relativeAccuracyReward } from '../rewards/index.js'
import { type Config, camelCase } from './config.js'

const builtIn: Readonly<Record<string, () => RewardFunc>> = {
  accuracy: () => accuracyReward(),
  relativeAccuracy: () => relativeAccuracyReward(),
  'format:think': () => formatReward('think'),
  'format:observe': () => formatReward('observe'),
  'format:vanilla': () => formatReward('vanilla'),
}

/** TRL's names of the same rewards. */
const aliases: Readonly<Record<string, string>> = { accuracyReward: 'accuracy', thinkFormatReward: 'format:think' }

/** The functions under `rewardFuncs`; an InputError names the one that cannot be had, and what can. */
export async function loadRewards(config: Config): Promise<RewardFunc[]> {
  const value = config.get('rewardFuncs')
  const names: readonly unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value]
  if (names.length === 0) {
    throw wrong(config, `expected a list of rewards, got nothing; e.g. [accuracy, ./rewards.mjs#short]`)
  }
  return Promise.all(names.map((name) => loadReward(name, config)))
}

async function loadReward(name: unknown, config: Config): Promise<RewardFunc> {
  if (typeof name !== 'string' || name === '') {
    throw wrong(config, `expected a name or ./file.mjs#name, got ${JSON.stringify(name)}`)
  }
  const known = builtIn[aliases[camelCase(name)] ?? name] ?? builtIn[camelCase(name)]
  if (known) return known()
  if (/[/\\#]|\.[cm]?[jt]s$/.test(name)) return importReward(name, config)
  const close = nearest(name, Object.keys(builtIn))
  const cure = close ? `did you mean ${close}?` : `there are ${Object.keys(builtIn).join(', ')}`
  throw wrong(config, `no built-in reward is called ${name}; ${cure} A reward of your own is ./file.mjs#name`)
}

async function importReward(name: string, config: Config): Promise<RewardFunc> {
  const [path = '', exported = 'default'] = name.split('#')
  const file = config.path('rewardFuncs', path)
  if (!existsSync(file)) throw wrong(config, `there is no file ${file}`)
  const reward: unknown = Reflect.get(await importFile(file, config), exported)
  if (isReward(reward)) return named(exported === 'default' ? reward.name || 'default' : exported, reward)
  throw wrong(config, `${path} does not export a function ${exported}; write ./file.mjs#name with the name it exports`)
}

async function importFile(file: string, config: Config): Promise<object> {
  try {
    const module: unknown = await import(pathToFileURL(file).href)
    return typeof module === 'object' && module !== null ? module : {}
  } catch (error) {
    throw new InputError(`${config.where('rewardFuncs')}: cannot load ${file}: ${messageOf(error)}`, { cause: error })
  }
}

/** What the function takes and gives shows when it is called; a wrong result is reported with the example's id. */
function isReward(value: unknown): value is RewardFunc {
  return typeof value === 'function'
}

function wrong(config: Config, message: string): InputError {
  return new InputError(`${config.where('rewardFuncs')}: ${message}`, { code: 'ERR_VSGRPO_CONFIG' })
}
