/** One trial of ours: reads a job (JSON), times it, writes what it measured to the job's `out`. `node worker.mjs JOB.json` */
import { readFileSync, writeFileSync } from 'node:fs'
import { loadAddon, statusBytes } from './addon.mjs'
import { dpoStep } from './dpo-step.mjs'
import { grpoStep } from './grpo-step.mjs'
import { forwardBackward, generate } from './passes.mjs'
import { planStep } from './plan.mjs'

const tasks = {
  'grpo-step': grpoStep,
  'dpo-step': dpoStep,
  generate,
  'forward-backward': forwardBackward,
  plan: planStep,
}

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
const { libtorch, cpu, threads } = loadAddon().buildInfo()
const measured = await tasks[job.task](job)
const versions = { libtorch, cpu, threads, node: process.version }
writeFileSync(job.out, JSON.stringify({ ...measured, peakBytes: statusBytes('VmHWM'), versions }))
