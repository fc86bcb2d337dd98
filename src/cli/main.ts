#!/usr/bin/env node
/** The executable. stdout is for data, stderr for talk. */
import { outliveReaders } from '../interrupt.js'
import { runCommandLine } from './program.js'

// A reader that closes the pipe early (| head) has what it wanted.
outliveReaders()

process.exitCode = await runCommandLine(process.argv.slice(2))
