/** Several runs over each other: `comparison.html`, or `comparison.md`. */
import { join } from 'node:path'
import { writeAtomically } from '../../atomic-file.js'
import { compare } from './comparison.js'
import { comparisonMarkdown } from './markdown.js'
import { comparisonPage } from './page.js'

export interface CompareOptions {
  /** Where to write. Default: `comparison.html` (or `.md`) in the folder that the runs lie in. */
  readonly output?: string
  /** Default: whether `output` ends with `.md`. */
  readonly markdown?: boolean
  /** Prompts shown. Default 8. */
  readonly samples?: number
}

/**
 * Compares the runs of any trainers and lengths, also while they train: final and best metrics, times, the options that
 * differ, curves, answers to the same prompts. Runs that differ in their seeds only are drawn as one. Folders that hold
 * no run, or none that can be read, are named in `problems` and left out; throws an `InputError` when none is left.
 */
export async function compareRuns(
  runDirs: readonly string[],
  options: CompareOptions = {},
): Promise<{ output: string; problems: readonly string[] }> {
  const comparison = compare(runDirs, { samples: options.samples ?? 8 })
  const markdown = options.markdown ?? /\.(md|markdown)$/i.test(options.output ?? '')
  const output = options.output ?? join(comparison.dir, `comparison.${markdown ? 'md' : 'html'}`)
  writeAtomically(output, markdown ? comparisonMarkdown(comparison) : await comparisonPage(comparison))
  return { output, problems: comparison.problems }
}
