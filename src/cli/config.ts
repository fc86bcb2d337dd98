/**
 * The configuration of a training run: a YAML file (JSON is YAML too), overridden by `--key value` on the command line.
 * Names may be written in camelCase, snake_case or kebab-case. An unknown name, or one that stands twice, is an error
 * that names the file, the line and the nearest name. Values are checked by whoever uses them; `where` helps to say
 * where they came from.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isMap, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import { didYouMean, firstLine, InputError, systemCause } from '../errors.js'
import { isObject } from '../json.js'
import { camelCase } from '../train/fields.js'
import { cureOfForeign } from '../train/foreign-options.js'

/** Names that a configuration may have: a list of keys, each with the keys below it, or null for any value. */
export interface Shape {
  readonly [key: string]: Shape | null
}

/** A value with the place it was written at and the folder that relative paths in it start from. */
interface Setting {
  readonly value: unknown
  readonly where: string
  readonly baseDir: string
}

interface Origin {
  readonly where: string
  readonly baseDir: string
  readonly twiceIsWrong: boolean
  /** Errors repeat the name as it was written, not the path that it stands for. */
  readonly asWritten: boolean
}

/** Of an option without a value: a switch, unless the option is none. */
export const bare = Symbol('no value')

export class Config {
  private readonly settings = new Map<string, Setting>()

  constructor(
    readonly file: string,
    private readonly shape: Shape,
  ) {}

  /** The value under a path such as `model` or `args.learningRate`, or undefined. */
  get(path: string): unknown {
    const value = this.settings.get(path)?.value
    return value === bare ? true : value
  }

  /** All values below a path, by name: `section('args')`. */
  section(path: string): Record<string, unknown> {
    const prefix = `${path}.`
    const below = [...this.settings.keys()].filter((name) => name.startsWith(prefix))
    return Object.fromEntries(below.map((name) => [name.slice(prefix.length), this.get(name)]))
  }

  /** `file:line: path`, or `--path`, to begin an error message with. */
  where(path: string): string {
    return this.settings.get(path)?.where ?? `${this.file}: ${path}`
  }

  /** What is wrong with the value of a path, for an error: what was not given is not said to be `true`. */
  told(path: string, problem: string): string {
    return this.settings.get(path)?.value === bare ? problem.replace(/got true\b/, 'got no value') : problem
  }

  /** A path in a value, made absolute: relative to the file, or to the working directory for one from the command line. */
  path(name: string, value: string): string {
    return resolve(this.settings.get(name)?.baseDir ?? dirname(this.file), value)
  }

  /** Sets a value after finding its name in the shape; a later setting wins, unless both stand in the file. */
  set(written: string, value: unknown, origin: Origin): void {
    const path = findPath(this.shape, written)
    if (path === undefined) throw unknownName(this.shape, written, origin)
    const where = `${origin.where}${origin.asWritten ? written : path}`
    checkSection(shapeAt(this.shape, path), value, where)
    if (origin.twiceIsWrong && this.settings.has(path))
      throw new InputError(`${where} is set twice; remove one of them`)
    this.dropOff(path)
    this.settings.set(path, { value, where, baseDir: origin.baseDir })
  }

  /** `lora: false` of the file does not outlive `--lora.r 8`. */
  private dropOff(path: string): void {
    const parent = path.split('.').slice(0, -1).join('.')
    if (this.settings.get(parent)?.value === false) this.settings.delete(parent)
  }
}

/** Reads the file and the overrides; throws an InputError for anything that is not as described. */
export function readConfig(file: string, overrides: readonly string[], shape: Shape): Config {
  const config = new Config(file, shape)
  const lines = new LineCounter()
  const document = parseDocument(readText(file), { lineCounter: lines })
  const [mistake] = document.errors
  if (mistake?.code === 'MULTIPLE_DOCS')
    throw new InputError(
      `${file}:${mistake.linePos?.[0].line ?? 1}: expected one configuration, got another after ---`,
      {
        hint: 'Keep one of them in this file.',
      },
    )
  if (mistake)
    throw new InputError(
      `${file}:${mistake.linePos?.[0].line ?? 1}: not valid YAML: ${yamlWords(mistake)}; one "name: value" a line, lists as [a, b], odd text in quotes`,
    )
  if (!isMap(document.contents)) {
    throw new InputError(
      `${file}: expected names and values such as "model: path/to/model", got ${document.contents ? 'something else' : 'an empty file'}`,
    )
  }
  const lineOf = (node: Node | null): number => lines.linePos(node?.range?.[0] ?? 0).line
  readMap(document.contents, '', shape, (name, key, value) =>
    config.set(name, value, {
      where: `${file}:${lineOf(key)}: `,
      baseDir: dirname(file),
      twiceIsWrong: true,
      asWritten: false,
    }),
  )
  for (const [name, value] of parseOverrides(overrides).flatMap(([name, value]) => [...spread(shape, name, value)])) {
    config.set(name, value, { where: '--', baseDir: process.cwd(), twiceIsWrong: false, asWritten: true })
  }
  return config
}

/** `--lora '{ r: 8 }'` is `--lora.r 8`, as in the file; what stood under the name itself is gone, such as a dataset's path. */
function* spread(shape: Shape, name: string, value: unknown): Generator<readonly [string, unknown]> {
  const path = findPath(shape, name)
  if (path === undefined || !shapeAt(shape, path) || !isObject(value)) return yield [name, value]
  yield [name, undefined]
  for (const [key, below] of Object.entries(value)) yield* spread(shape, `${name}.${key}`, below)
}

/** `['--beta', '0.1', '--no-shuffle', '--lr=1']` as names and values; values are read as YAML reads them. */
export function parseOverrides(words: readonly string[]): [string, unknown][] {
  const found: [string, unknown][] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? ''
    const match = /^--([a-zA-Z][\w.-]*)(?:=([\s\S]*))?$/.exec(word)
    if (!match?.[1])
      throw new InputError(`${word}: expected --name value; one configuration file comes first, then overrides`)
    const next = words[i + 1]
    if (match[2] !== undefined) found.push([match[1], parseValue(match[1], match[2])])
    else if (next !== undefined && !/^--[a-zA-Z]/.test(next)) {
      found.push([match[1], parseValue(match[1], next)])
      i++
    } else if (match[1].startsWith('no-')) found.push([match[1].slice(3), false])
    else found.push([match[1], bare])
  }
  return found
}

function parseValue(name: string, text: string): unknown {
  if (text === '')
    throw new InputError(`--${name}: expected a value, got an empty text; give one, or leave the option out`)
  const document = parseDocument(text)
  if (document.errors[0])
    throw new InputError(`--${name} ${text}: not a value: ${yamlWords(document.errors[0])}; put it in quotes`)
  return document.toJS()
}

function readMap(
  map: YAMLMap,
  prefix: string,
  shape: Shape,
  set: (name: string, key: Node | null, value: unknown) => void,
): void {
  for (const pair of map.items) {
    const key = isScalar(pair.key) ? pair.key : null
    const name = `${prefix}${String(key?.value ?? '')}`
    const path = findPath(shape, name)
    const below = path === undefined ? null : shapeAt(shape, path)
    // A name with names below it may also be given as one value (`model: dir`).
    if (isMap(pair.value) && below) readMap(pair.value, `${name}.`, shape, set)
    else if (isNode(pair.value)) set(name, key, pair.value.toJSON())
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'toJSON' in value
}

/** The full path of a name as it may be written: any case, and options of `args` also without `args.`. */
function findPath(shape: Shape, written: string): string | undefined {
  const parts = written.split('.').map(camelCase)
  const path = parts.join('.')
  if (hasPath(shape, parts)) return path
  return hasPath(shape, ['args', ...parts]) ? `args.${path}` : undefined
}

function hasPath(shape: Shape, parts: readonly string[]): boolean {
  let at: Shape | null | undefined = shape
  for (const part of parts) {
    if (at === null || at === undefined || !Object.hasOwn(at, part)) return false
    at = at[part]
  }
  return parts.length > 0
}

function shapeAt(shape: Shape, path: string): Shape | null {
  return path.split('.').reduce<Shape | null>((at, part) => at?.[part] ?? null, shape)
}

/** A name with names below it takes no value of its own: it would be passed over. Only a dataset may be its path. */
function checkSection(below: Shape | null, value: unknown, where: string): void {
  if (!below || 'path' in below || value === null || value === undefined || value === false) return
  const [first = '', ...others] = Object.keys(below)
  const got = value === bare ? 'no value' : JSON.stringify(value)
  const names = others.length > 4 ? `${others.slice(0, 3).join(', ')}, …` : others.join(', ')
  throw new InputError(
    `${where}: expected names and values, as in { ${first}: … }, got ${got}; the others are ${names}`,
    { code: 'ERR_VSGRPO_CONFIG' },
  )
}

function unknownName(shape: Shape, written: string, { where, asWritten }: Origin): InputError {
  const parts = written.split('.').map(camelCase)
  const last = parts.at(-1) ?? ''
  const siblings = shapeAt(shape, parts.slice(0, -1).join('.')) ?? shape
  const names = Object.keys(siblings)
  const below = parts.length === 1 ? Object.keys(shape.args ?? {}) : []
  const listed = [names, below].filter(({ length }) => length > 0).map((some) => [...some].sort().join(', '))
  const all = listed.join('; or below args: ')
  const flag = (name: string) => `--${[...written.split('.').slice(0, -1), kebabCase(name)].join('.')}`
  const cure =
    cureOfForeign(last) ?? didYouMean(last, [...names, ...below], { all, ...(asWritten && { written: flag }) })
  return new InputError(`${where}${written}: there is no such option${cure}`, { code: 'ERR_VSGRPO_CONFIG' })
}

/** `learningRate` as it is written on a command line. */
export function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new InputError(`cannot read ${file}: ${systemCause(error)}; name the configuration file of the run first`)
  }
}

/** yaml's messages draw the place below the first line. */
function yamlWords({ message }: Error): string {
  return firstLine(message).replace(/ at line \d+.*$/, '')
}
