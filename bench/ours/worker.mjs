/** One trial of ours: reads a job (JSON), times it, writes what it measured to the job's `out`. `node worker.mjs JOB.json` */
import { readFileSync, writeFileSync } from 'node:fs'
import { loadAddon, statusBytes } from './addon.mjs'
import { grpoStep } from './grpo-step.mjs'
import { forwardBackward, generate } from './passes.mjs'

const tasks = { 'grpo-step': grpoStep, generate, 'forward-backward': forwardBackward }

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
const { libtorch, cpu, threads } = loadAddon().buildInfo()
const measured = await tasks[job.task](job)
const versions = { libtorch, cpu, threads, node: process.version }
writeFileSync(job.out, JSON.stringify({ ...measured, peakBytes: statusBytes('VmHWM'), versions }))
