/** One line of what `vsgrpo doctor` says. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  /** What was found, or what is wrong. */
  readonly detail: string
  /** The command or step that fixes it. */
  readonly cure?: string
  /** true: nothing fails without it. */
  readonly optional?: boolean
}
