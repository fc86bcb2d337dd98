/** `vsgrpo doctor`. */
import type { Command } from 'commander'
import { diagnose, formatChecks } from '../setup/doctor.js'

export function register(program: Command): void {
  program
    .command('doctor')
    .description(
      'say what is there and what is missing, with the command that fixes it; exits with 1 when something is',
    )
    .action(async () => {
      const checks = await diagnose()
      process.stdout.write(`${formatChecks(checks)}\n`)
      if (checks.some((check) => !check.ok && !check.optional)) process.exitCode = 1
    })
}
