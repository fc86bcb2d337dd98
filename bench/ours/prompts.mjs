/** The prompts that a job's passes run on. */
import { readFileSync } from 'node:fs'

/** The prompts of the first `job.prompts` rows. */
export function promptsOf(policy, { rows, prompts = 1 }) {
  const lines = readFileSync(rows, 'utf8').split('\n').slice(0, prompts)
  return Promise.all(lines.map((line) => policy.processor.prompt(JSON.parse(line).messages)))
}
