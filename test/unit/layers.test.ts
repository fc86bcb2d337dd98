/**
 * The rules of the tree that can be checked: who may import whom in TypeScript and in C++, how long a file may be, what lies
 * at the top. The tables below are the rules.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** A unit is a folder or a file of src. It imports from lower rows, and types from its own row. */
const typescriptLevels: readonly (readonly string[])[] = [
  ['types', 'errors', 'json', 'group-by', 'random', 'turns', 'train/events', 'losses/grpo-options'],
  ['interrupt', 'process-lock', 'published-layout', 'ffmpeg', 'option-checks', 'atomic-file'],
  ['setup', 'atomic-folder'],
  ['native', 'version'],
  ['processing', 'data', 'rewards', 'losses', 'log', 'batch'],
  ['model-folder', 'plan-batches'],
  ['policy'],
  ['train', 'eval'],
  ['report', 'plan'],
  ['index', 'cli'],
]

/** The same for the folders of native. */
const nativeLevels: readonly (readonly string[])[] = [['core'], ['ops'], ['model'], ['generate', 'optim'], ['addon']]

const topLevel = [
  ...['package.json', 'package-lock.json', 'CMakeLists.txt', 'native', 'src', 'bench', 'test', 'examples'],
  ...['README.md', 'LICENSE', 'CHANGELOG.md', 'CONTRIBUTING.md', '.ci', '.gitignore', '.gitattributes', '.npmrc'],
  ...['tsconfig.json', 'tsup.config.ts', 'vitest.config.ts', 'biome.json'],
]
/** Made by tools, never committed. */
const untracked = ['.git', 'node_modules', 'dist', 'build', 'runs', 'coverage']

const longest = 400

interface Import {
  readonly target: string
  readonly typesOnly: boolean
}

/** Relative imports of a TypeScript file, as paths below src without extension. */
function importsOf(file: string, text: string): Import[] {
  const pattern = /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^'"`;]*?\bfrom\s+'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'\s*\)/g
  return [...text.matchAll(pattern)].map(([, types, fixed, dynamic]) => ({
    target: posix.join(posix.dirname(file), fixed ?? dynamic ?? '').replace(/\.js$/, ''),
    typesOnly: types !== undefined,
  }))
}

function unitOf(path: string): string {
  const known = typescriptLevels.flat()
  return known.find((unit) => unit === path) ?? path.split('/')[0] ?? ''
}

function levelOf(levels: readonly (readonly string[])[], unit: string): number {
  return levels.findIndex((row) => row.includes(unit))
}

/** What is wrong with an import, or undefined. */
function importFault(file: string, { target, typesOnly }: Import): string | undefined {
  const from = unitOf(file.replace(/\.ts$/, ''))
  const to = unitOf(target)
  if (from === to || file.split('/')[0] === target.split('/')[0]) return undefined
  const [own, other] = [levelOf(typescriptLevels, from), levelOf(typescriptLevels, to)]
  if (own < 0 || other < 0) return `${file} -> ${target}: ${own < 0 ? from : to} is in no level`
  if (other < own || (other === own && typesOnly)) return undefined
  return `${file} -> ${target}: ${from} may not import ${to}`
}

/** Files that import themselves by way of others, types included. `imports` has the targets of each file. */
function filesInCycles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const reaches = (file: string): Set<string> => {
    const seen = new Set<string>()
    const open = [...(imports.get(file) ?? [])]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue
      seen.add(next)
      open.push(...(imports.get(next) ?? []))
    }
    return seen
  }
  return [...imports.keys()].filter((file) => reaches(file).has(file))
}

/** Faults of the includes of one file of native. */
function includeFaults(file: string, text: string): string[] {
  const folder = file.split('/')[0] ?? ''
  const own = levelOf(nativeLevels, folder)
  return [...text.matchAll(/^\s*#\s*include\s*([<"])([^>"]+)[>"]/gm)].flatMap(([, , header = '']) => {
    if (header === 'napi.h' || header === 'node_api.h') return folder === 'addon' ? [] : [`${file} includes ${header}`]
    if (/(^|\/)cuda|c10\/cuda|ATen\/cuda/.test(header)) return own >= 0 ? [`${file} includes ${header}`] : []
    const target = header.split('/')[0] ?? ''
    const other = levelOf(nativeLevels, target)
    const upward = own >= 0 && other >= 0 && target !== folder && other >= own
    return upward ? [`${file} includes ${header}: ${folder} may not use ${target}`] : []
  })
}

function list(folder: string, pattern: RegExp): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => pattern.test(path))
    .sort()
}

describe('the layers', () => {
  it('lets every file of src import only from lower levels or its own folder', () => {
    const folder = join(root, 'src')
    const files = list(folder, /\.ts$/)
    expect(files).toContain('native.ts')
    const faults = files.flatMap((file) =>
      importsOf(file, readFileSync(join(folder, file), 'utf8')).map((found) => importFault(file, found)),
    )
    expect(faults.filter((fault) => fault !== undefined)).toEqual([])
  })

  it('has no files that import each other, in a folder or across folders', () => {
    const folder = join(root, 'src')
    const files = list(folder, /\.ts$/)
    const targets = (file: string) =>
      importsOf(file, readFileSync(join(folder, file), 'utf8')).map(({ target }) => target)
    const cyclic = filesInCycles(new Map(files.map((file) => [file.replace(/\.ts$/, ''), targets(file)])))
    expect(cyclic).toEqual([])
    expect(filesInCycles(new Map(Object.entries({ a: ['b'], b: ['c'], c: ['b'] })))).toEqual(['b', 'c'])
  })

  it('keeps what is one algorithm’s from the shared training loop and from the other algorithms', () => {
    const folder = join(root, 'src')
    const algorithmOf = (path: string) => /^train\/(\w+)\//.exec(path)?.[1]
    const files = list(join(folder, 'train'), /\.ts$/).map((file) => `train/${file}`)
    expect(new Set(files.map(algorithmOf))).toEqual(new Set([undefined, 'grpo', 'dpo', 'sft']))
    const faults = files
      .filter((file) => file !== 'train/index.ts')
      .flatMap((file) =>
        importsOf(file, readFileSync(join(folder, file), 'utf8'))
          .map(({ target }) => target)
          .filter((target) => ![undefined, algorithmOf(file)].includes(algorithmOf(target)))
          .map((target) => `${file} -> ${target}`),
      )
    expect(faults).toEqual([])
  })

  it('lets only src/native.ts know the addon', () => {
    const files = list(join(root, 'src'), /\.ts$/).filter((file) => !file.startsWith('setup/') && file !== 'native.ts')
    const guilty = files.filter((file) => /setup\/addon\.js'/.test(readFileSync(join(root, 'src', file), 'utf8')))
    expect(guilty).toEqual([])
  })

  it('lets every file of native include only from lower folders, Node only in addon, CUDA nowhere in the engine', () => {
    const folder = join(root, 'native')
    const files = list(folder, /\.(cpp|h)$/)
    expect(files.length).toBeGreaterThan(0)
    expect(files.flatMap((file) => includeFaults(file, readFileSync(join(folder, file), 'utf8')))).toEqual([])
  })

  it('lets the glue to CUDA know of the engine only its core, and of the kernels their interface', () => {
    const folder = join(root, 'native')
    const headers = list(join(folder, 'glue'), /\.(cpp|h)$/).flatMap((file) =>
      [...readFileSync(join(folder, 'glue', file), 'utf8').matchAll(/^\s*#\s*include\s*"([^"]+)"/gm)].map(
        ([, header]) => header ?? '',
      ),
    )
    expect(headers).toContain('core/gpu.h')
    expect(headers.filter((header) => !/^(core|glue)\/|^kernels\/vsgrpo_kernels\.h$/.test(header))).toEqual([])
  })

  it('sees an upward import, a sideways one, and a sideways one of types', () => {
    const found = importsOf(
      'rewards/a.ts',
      "import type { A } from '../data/a.js'\nimport {\n  b,\n} from '../train/b.js'\n",
    )
    expect(found).toEqual([
      { target: 'data/a', typesOnly: true },
      { target: 'train/b', typesOnly: false },
    ])
    expect(found.map((one) => importFault('rewards/a.ts', one))).toEqual([
      undefined,
      'rewards/a.ts -> train/b: rewards may not import train',
    ])
    expect(importFault('rewards/a.ts', { target: 'data/a', typesOnly: false })).toMatch('rewards may not import data')
    expect(includeFaults('ops/a.cpp', '#include "model/b.h"\n#include <napi.h>\n#include "core/c.h"')).toHaveLength(2)
  })
})

describe('the tree', () => {
  it(`has no source file longer than ${longest} lines`, () => {
    const sources = ['src', 'native', 'test', 'bench', 'examples'].flatMap((folder) =>
      list(join(root, folder), /\.(ts|mjs|cpp|h|cu|cuh|py)$/).map((file) => join(folder, file)),
    )
    const long = sources
      .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length - 1 }))
      .filter(({ lines }) => lines > longest)
    expect(long).toEqual([])
  })

  it('holds at its top what is agreed on and nothing else', () => {
    const present = readdirSync(root).filter((name) => !untracked.includes(name))
    expect(present.filter((name) => !topLevel.includes(name))).toEqual([])
    for (const name of ['README.md', 'LICENSE', 'CONTRIBUTING.md', 'package-lock.json']) expect(present).toContain(name)
  })

  it('runs nothing when it is installed', () => {
    const content: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    expect(content).toHaveProperty('scripts.test')
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
      expect(content).not.toHaveProperty(`scripts.${script}`)
    }
    expect(existsSync(join(root, 'binding.gyp'))).toBe(false)
  })

  it('keeps download addresses out of the lockfile', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved":/)
  })

  it('locks the optional packages of every platform, without which npm ci refuses the lockfile', () => {
    const lock: { packages: Record<string, { optionalDependencies?: Record<string, string> }> } = JSON.parse(
      readFileSync(join(root, 'package-lock.json'), 'utf8'),
    )
    const locked = Object.keys(lock.packages)
    const wanted = Object.values(lock.packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
    const absent = wanted.filter((name) => !locked.some((path) => path.endsWith(`node_modules/${name}`)))
    expect(absent).toEqual([])
  })

  it('opens every source file with a comment that says what it is for', () => {
    const sources = ['src'].flatMap((folder) =>
      list(join(root, folder), /\.(ts|mjs)$/).map((file) => relative(root, join(root, folder, file))),
    )
    const mute = sources.filter((file) => !/^(#!.*\n)?\s*(\/\*|\/\/)/.test(readFileSync(join(root, file), 'utf8')))
    expect(mute).toEqual([])
  })
})
