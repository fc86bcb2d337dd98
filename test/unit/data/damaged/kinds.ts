/** What a kind of damaged input is, and how its files are put into place. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface DamagedInput {
  readonly name: string
  /** Puts the files into a folder and reads them as a command does; rejects or throws. */
  readonly read: (dir: string) => unknown
  /** What the error says, without the folder: which file, where in it, what is wrong. */
  readonly message: RegExp | string
}

/** Inputs without damage, by format: what the damaged ones are made of can be read. */
export type SoundInputs = Readonly<Record<string, DamagedInput['read']>>

export function put(dir: string, name: string, content: string | Buffer): string {
  const path = join(dir, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  return path
}

/** Values as JSON Lines; texts as they are. */
export function lines(values: readonly unknown[]): string {
  return values.map((value) => `${typeof value === 'string' ? value : JSON.stringify(value)}\n`).join('')
}
