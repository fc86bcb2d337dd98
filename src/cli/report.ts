/** `vsgrpo report`: makes (or makes anew) the report of a run folder, or compares several. */
import { join } from 'node:path'
import type { Command } from 'commander'
import { compareRuns, writeReport } from '../report/index.js'
import { checkOutputs } from './outputs.js'
import { say } from './talk.js'

interface ReportCommandOptions {
  readonly output?: string
  readonly markdown?: boolean
}

export function register(program: Command): void {
  program
    .command('report')
    .description('write report.html of a run, or compare several: curves, results, sample answers; also while they run')
    .argument('<runs...>', 'run folders (the outputDir of a training); one: its report, several: a comparison')
    .option('--output <file>', 'where to write; default: report.html in the run folder, comparison.html beside several')
    .option('--markdown', 'a comparison as Markdown (comparison.md); also chosen by --output x.md')
    .addHelpText('after', help)
    .action(run)
}

/** Files of a run folder that a report is made from. */
const read = ['config.json', 'metrics.jsonl', 'completions.jsonl', 'run.json', 'summary.json', 'samples.json']

async function run(runs: string[], { output, markdown }: ReportCommandOptions): Promise<void> {
  checkOutputs(
    { '--output': output },
    runs.flatMap((run) => read.map((name) => join(run, name))),
  )
  const [only] = runs
  const asMarkdown = markdown ?? /\.(md|markdown)$/i.test(output ?? '')
  if (only !== undefined && runs.length === 1 && !asMarkdown) {
    process.stdout.write(`${await writeReport(only, { output })}\n`)
    return
  }
  const written = await compareRuns(runs, { output, markdown: asMarkdown })
  for (const problem of written.problems) say(`warning: ${problem}`)
  process.stdout.write(`${written.output}\n`)
}

const help = `
A report is one file without links to others: open it in a browser, mail it, keep it.
A comparison lays the curves of runs over each other, also of different trainers and lengths, with their final and best
metrics, their times, the options that differ and their answers to the same prompts. Runs that differ in their seeds only
are drawn as one, with the mean. What is no run is named and left out.

Example:
  vsgrpo report runs/demo
  vsgrpo report runs/*
  vsgrpo report runs/sft runs/grpo-* --output study.md`
