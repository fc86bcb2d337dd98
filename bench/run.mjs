/**
 * `npm run bench -- NAME [options]`: runs one benchmark. Results go to standard output as JSON, talk to standard error.
 * Without a name it lists them.
 */
const benchmarks = {
  'grpo-step': 'an optimizer step of GRPO against TRL: --workload A|B|C|D [--peer trl|none]',
  dpo: 'an optimizer step of DPO against one whose answers share no prompt: [--workload A|B|C] [--pairs 4]',
  generate: 'tokens per second against transformers: [--batch group|one] [--peer transformers|none]',
  'forward-backward':
    'log-probabilities and gradients against transformers: [--workload A|B|C] [--peer transformers|none]',
  loss: 'the fused head and loss against unfused PyTorch: [--peer torch|none]',
  load: 'memory and time of loading a 2B checkpoint: [--dir FOLDER] [--save]',
  memory: 'the largest resident size of a step against TRL: [--workload A|B|C] [--peer trl|none]',
  plan: 'what vsgrpo plan predicts against what is measured: [--workload A|B|C]',
  scaling: 'a step against prompt length, group size and completion length: [--peer trl|none]',
  gpu: 'a row on a GPU against TRL or transformers: grpo-16|grpo-256|decode|training|… (bench/gpu/README.md)',
  'ops/grpo-loss': 'the fused pass against its unfused libtorch expression in one process',
  data: 'memory of a 2 GB file, scoring 5,130 predictions, questions about 1,000 scenes: [--task NAME]',
  table: "the README's table from bench/results: [--check]",
}

const [, , name, ...rest] = process.argv
if (name !== undefined && Object.hasOwn(benchmarks, name)) {
  try {
    const { main } = await import(`./${name}.mjs`)
    await main(rest)
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  }
} else {
  const lines = Object.entries(benchmarks).map(([each, what]) => `  ${each.padEnd(18)}${what}`)
  process.stderr.write(
    `usage: npm run bench -- NAME [--trials 3] [--warmup 1] [--steps 3] [--threads 2] [--json FILE] [--save] [--fresh]\n`,
  )
  process.stderr.write(`${lines.join('\n')}\n`)
  process.exitCode = 2
}
