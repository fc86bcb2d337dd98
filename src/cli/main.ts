#!/usr/bin/env node
/** The executable. stdout is for data, stderr for talk. */
import { runCommandLine } from './program.js'

// A reader that closes the pipe early (| head) has what it wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await runCommandLine(process.argv.slice(2))
