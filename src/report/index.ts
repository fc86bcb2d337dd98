/** `report.html` of a run folder, whatever state the run is in; and comparisons of several. */
import { join } from 'node:path'
import { writeAtomically } from '../atomic-file.js'
import { page } from './page.js'
import { readRun, readSamples } from './read.js'
import { type SampleLimits, sampleCards } from './samples.js'

export { type CompareOptions, compareRuns } from './compare/index.js'

export interface ReportOptions extends Partial<SampleLimits> {
  /** Where to write. Default: `report.html` in the run folder. */
  readonly output?: string
}

/**
 * Reads `config.json`, `metrics.jsonl`, `completions.jsonl` and, when present, `run.json`, `summary.json` and
 * `samples.json` (described in `read.ts`), writes the report and returns its path. Throws an `InputError` when `runDir`
 * is no run folder.
 */
export async function writeReport(runDir: string, options: ReportOptions = {}): Promise<string> {
  const run = readRun(runDir)
  const limits = { samples: options.samples ?? 12, frames: options.frames ?? 8, answers: options.answers ?? 8 }
  const problems = [...run.problems]
  const samples = await sampleCards(run.dir, readSamples(run.dir, problems), limits)
  const output = options.output ?? join(run.dir, 'report.html')
  writeAtomically(output, page({ ...run, problems }, samples))
  return output
}
