/** One trial of ours: reads a job (JSON), times it, writes what it measured to the job's `out`. `node worker.mjs JOB.json` */
import { readFileSync, writeFileSync } from 'node:fs'
import { loadAddon, statusBytes } from './addon.mjs'
import { dpoStep } from './dpo-step.mjs'
import { sampler, score, training } from './gpu-passes.mjs'
import { grpoStep } from './grpo-step.mjs'
import { forwardBackward, generate } from './passes.mjs'
import { planStep } from './plan.mjs'

const tasks = {
  'grpo-step': grpoStep,
  'dpo-step': dpoStep,
  generate,
  'forward-backward': forwardBackward,
  plan: planStep,
  training,
  score,
  sampler,
}

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
const addon = loadAddon()
const { libtorch, cpu, threads } = addon.buildInfo()
const measured = await tasks[job.task](job)
const versions = { libtorch, cpu, threads, node: process.version }
const hostPeakBytes = statusBytes('VmHWM')
const memory =
  job.device === 'cuda'
    ? { peakBytes: (await addon.gpuMemory()).peakBytes, hostPeakBytes }
    : { peakBytes: hostPeakBytes }
writeFileSync(job.out, JSON.stringify({ ...measured, ...memory, versions }))
