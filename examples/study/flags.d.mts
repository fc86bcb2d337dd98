/** Types of `flags.mjs`. */
export interface Flags {
  readonly full: boolean
  readonly tune: boolean
  readonly smoke: boolean
  readonly list: boolean
  readonly report: boolean
  readonly save: boolean
  readonly 'go-on': boolean
  readonly jobs: number
  readonly seeds: number
  readonly cells?: string
  readonly output?: string
  readonly base?: string
}

export interface BaseFlags {
  readonly output: string
  readonly rooms: number
  readonly steps: number
  readonly resume: boolean
}

export function checkFlags(args: readonly string[]): void
export function readFlags(args: readonly string[]): Flags
export function readBaseFlags(args: readonly string[]): BaseFlags
