/** The built command line as a child process, and the small inputs that its tests share. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll } from 'vitest'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const base = join(root, 'examples', 'demo', 'base')
const main = join(root, 'dist', 'cli', 'main.js')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

/** A program under way; `ended` never rejects. */
export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

export function start(command: string, args: readonly string[], options: { cwd?: string } = {}): Running {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  const ended = new Promise<Ended>((done) => child.on('close', (code, signal) => done({ code, signal, out, err })))
  return { child, ended }
}

/** `vsgrpo …args`, in a folder. */
export function vsgrpo(cwd: string, ...args: string[]): Promise<Ended> {
  return start(process.execPath, [main, ...args], { cwd }).ended
}

export function startVsgrpo(cwd: string, ...args: string[]): Running {
  return start(process.execPath, [main, ...args], { cwd })
}

/** A program that loads this package's source: what a test must not do in its own process. */
export function runScript(cwd: string, text: string): Promise<Ended> {
  const file = join(cwd, 'script.mjs')
  writeFileSync(file, text)
  return start(process.execPath, [file], { cwd }).ended
}

/** The URL to import from a script: the built package. */
export const built = (name: string): string => JSON.stringify(new URL(`../../dist/${name}.js`, import.meta.url).href)

/** A folder for all tests of a file, gone afterwards. */
export function scratch(): { readonly dir: string } {
  const folder = { dir: '' }
  beforeAll(() => {
    folder.dir = mkdtempSync(join(tmpdir(), 'vsgrpo-cli-'))
  })
  afterAll(() => rmSync(folder.dir, { recursive: true, force: true }))
  return folder
}

export function writeRows(file: string, rows: readonly unknown[]): void {
  writeFileSync(file, rows.map((row) => `${typeof row === 'string' ? row : JSON.stringify(row)}\n`).join(''))
}

export function readRows<T>(file: string): T[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as T)
}

export function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

/** Rooms of the demo's kind in `dir/rooms`. */
export async function makeRooms(dir: string, count: number): Promise<string> {
  const { code, err } = await vsgrpo(dir, 'rooms', '--output', 'rooms', '--count', String(count), '--recipe', 'demo')
  if (code !== 0) throw new Error(err)
  return join(dir, 'rooms', 'questions.jsonl')
}

/** A configuration of `vsgrpo grpo`; JSON is YAML too. */
export function writeConfig(dir: string, name: string, config: { args?: object; [key: string]: unknown }): string {
  const args = {
    numGenerations: 4,
    perDeviceTrainBatchSize: 12,
    maxCompletionLength: 4,
    learningRate: 1e-3,
    beta: 0.01,
    ...config.args,
  }
  const file = join(dir, `${name}.yaml`)
  const whole = { model: base, dtype: 'float32', rewardFuncs: ['accuracy'], ...config, args }
  writeFileSync(file, JSON.stringify(whole, null, 1))
  return file
}
