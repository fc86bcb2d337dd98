/** `vsgrpo report`: makes (or makes anew) the report of a run folder. */
import type { Command } from 'commander'
import { writeReport } from '../report/index.js'

export function register(program: Command): void {
  program
    .command('report')
    .description('write report.html of a run: curves, results, sample answers, facts; also while it runs')
    .argument('<run>', 'the run folder (the outputDir of a training)')
    .option('--output <file>', 'where to write; default: report.html in the run folder')
    .addHelpText('after', help)
    .action(async (run: string, options: { output?: string }) => {
      process.stdout.write(`${await writeReport(run, options)}\n`)
    })
}

const help = `
The report is one file without links to others: open it in a browser, mail it, keep it.

Example:
  vsgrpo report runs/demo`
