/** Options as the benchmark and our rows write them: 'A. chair', or '1. chair'. */

export interface MarkedOption {
  /** The letter or number; '' for an option without one. */
  readonly mark: string
  readonly text: string
}

export function splitOption(option: string): MarkedOption {
  const [, mark = '', text = option] = /^(\w+)\. (.*)$/s.exec(option) ?? []
  return { mark, text }
}

/** A, B, C, … */
export function letterOf(index: number): string {
  return String.fromCharCode(65 + index)
}
