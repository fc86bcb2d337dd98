/**
 * The package as a user gets it: packs it, installs the tarball in an empty project, and there imports, requires, type-checks,
 * builds the addon and generates. Depends on nothing but the repository. The last line is "package: N passed, N failed".
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const root = resolve(here, '../..')
const work = mkdtempSync(join(tmpdir(), 'vsgrpo-package-'))
const project = join(work, 'project')
const tool = (path) => join(root, 'node_modules', path)
/** A checkpoint with a tokenizer, small enough for a test. */
const checkpoint = [join(root, 'test/fixtures/tiny-qwen2-vl'), join(root, 'examples/demo/base')].find((dir) =>
  existsSync(join(dir, 'tokenizer.json')),
)
/** What a user writes first; the last lines hold only when the types are real ones, not `any`. */
const userCode = `
import { GRPOTrainer, loadModel } from 'vsgrpo'
import { accuracyReward, formatReward } from 'vsgrpo/rewards'
import { jsonl } from 'vsgrpo/data'
export async function train(dir: string): Promise<void> {
  const model = await loadModel(dir, { device: 'auto', lora: { r: 8 } })
  const rewardFuncs = [accuracyReward(), formatReward('think'), ({ text }: { text: string }) => (text.length < 200 ? 0.1 : 0)]
  const trainer = new GRPOTrainer({ model, trainDataset: jsonl('a.jsonl'), rewardFuncs, args: { numGenerations: 4 } })
  await trainer.train()
  // @ts-expect-error
  trainer.noSuchMethod()
  // @ts-expect-error
  loadModel(42)
}
`
let tarball = ''

function run(command, args, options = {}) {
  const env = { ...process.env, ...options.env }
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: options.cwd ?? project,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  const code = error ? 127 : (status ?? 128)
  if (code !== (options.expect ?? 0)) {
    throw new Error(`${command} ${args.join(' ')} gave ${code}\n${error?.message ?? ''}${stdout}${stderr}`)
  }
  return { stdout, stderr }
}

function node(file, source) {
  writeFileSync(join(project, file), source)
  return run(process.execPath, [file])
}

function check(condition, message) {
  if (!condition) throw new Error(message)
}

const steps = {
  'packs what a user needs and nothing else'() {
    const { stdout } = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work], { cwd: root })
    const [packed] = JSON.parse(stdout.slice(stdout.indexOf('[')))
    const files = packed.files.map((file) => file.path)
    tarball = join(work, packed.filename)
    for (const name of [
      'dist/index.js',
      'dist/index.cjs',
      'dist/cli/main.js',
      'CMakeLists.txt',
      'native/addon/addon.cpp',
      'LICENSE',
    ]) {
      check(files.includes(name), `${name} is not in the package`)
    }
    const stray = files.filter((name) => /^(src|test|examples|build|runs)\/|\.node$|binding\.gyp$|\.stamp$/.test(name))
    check(stray.length === 0, `not for users: ${stray.slice(0, 5).join(', ')}`)
    check(packed.size < 2e6, `the package is ${(packed.size / 1e6).toFixed(1)} MB; it should be below 2 MB`)
  },

  'has a manifest that publint and attw accept'() {
    run(process.execPath, [tool('publint/src/cli.js'), 'run', tarball, '--strict'], { cwd: root })
    run(process.execPath, [tool('@arethetypeswrong/cli/dist/index.js'), tarball, '--profile', 'node16'], { cwd: root })
  },

  'installs in an empty project without running anything'() {
    mkdirSync(project)
    writeFileSync(join(project, 'package.json'), '{ "name": "user", "version": "1.0.0", "private": true }\n')
    run('npm', ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', tarball])
  },

  'can be imported from ES modules'() {
    node(
      'import.mjs',
      `import * as main from 'vsgrpo'
       import * as rewards from 'vsgrpo/rewards'
       import * as data from 'vsgrpo/data'
       for (const [name, value] of Object.entries({ GRPOTrainer: main, loadModel: main, accuracyReward: rewards, jsonl: data }))
         if (typeof value[name] !== 'function') throw new Error(name + ' is missing')`,
    )
  },

  'can be required from CommonJS'() {
    node(
      'require.cjs',
      `const main = require('vsgrpo'), rewards = require('vsgrpo/rewards'), data = require('vsgrpo/data')
       for (const f of [main.GRPOTrainer, main.loadModel, rewards.accuracyReward, data.jsonl])
         if (typeof f !== 'function') throw new Error('an export is missing')`,
    )
  },

  'has types under nodenext and bundler resolution, from both kinds of module'() {
    cpSync(tool('@types/node'), join(project, 'node_modules/@types/node'), { recursive: true })
    cpSync(tool('undici-types'), join(project, 'node_modules/undici-types'), { recursive: true })
    for (const name of ['use.mts', 'use.cts']) writeFileSync(join(project, name), userCode)
    for (const [module, resolution] of [
      ['nodenext', 'nodenext'],
      ['esnext', 'bundler'],
    ]) {
      const modules = module === 'nodenext' ? ['use.mts', 'use.cts'] : ['use.mts']
      const flags = ['--noEmit', '--strict', '--target', 'es2022', '--module', module, '--moduleResolution', resolution]
      run(process.execPath, [tool('typescript/bin/tsc'), ...flags, '--skipLibCheck', '--types', 'node', ...modules])
    }
  },

  'says which command to run while the addon is not built'() {
    const { stdout } = run('npx', ['--no-install', 'vsgrpo', 'doctor'], { expect: 1 })
    check(/missing +addon .*npx vsgrpo setup/.test(stdout), `doctor said:\n${stdout}`)
  },

  'builds the addon with npx vsgrpo setup, and then has nothing left to do'() {
    const clock = performance.now()
    run('npx', ['--no-install', 'vsgrpo', 'setup'])
    console.log(`  built in ${((performance.now() - clock) / 1000).toFixed(0)} s`)
    run('npx', ['--no-install', 'vsgrpo', 'doctor'])
    const again = performance.now()
    const { stderr } = run('npx', ['--no-install', 'vsgrpo', 'setup'])
    check(/addon is current/.test(stderr), `the second set-up said:\n${stderr}`)
    check(performance.now() - again < 2000, `the second set-up took ${Math.round(performance.now() - again)} ms`)
  },

  'generates from a checkpoint on disk'() {
    if (!checkpoint) return 'no checkpoint with a tokenizer in the repository'
    const prompt = { messages: [{ role: 'user', content: [{ type: 'text', text: 'How many chairs are there?' }] }] }
    writeFileSync(join(project, 'in.jsonl'), `${JSON.stringify(prompt)}\n`)
    const flags = ['--input', 'in.jsonl', '--output', 'out.jsonl', '--max-new-tokens', '5', '--temperature', '0']
    run('npx', ['--no-install', 'vsgrpo', 'generate', '--model', checkpoint, ...flags])
    const row = JSON.parse(readFileSync(join(project, 'out.jsonl'), 'utf8'))
    const [completion] = row.completions
    check(typeof completion.text === 'string', 'no text')
    check(completion.ids.length >= 1 && completion.ids.length <= 5, `${completion.ids.length} tokens`)
    check(completion.logps.length === completion.ids.length, 'one log-probability per token')
    check(['stop', 'length'].includes(completion.finishReason), completion.finishReason)
  },
}

const counts = { passed: 0, failed: 0, skipped: 0 }
for (const [name, step] of Object.entries(steps)) {
  const start = performance.now()
  try {
    const reason = step()
    counts[reason ? 'skipped' : 'passed'] += 1
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    console.log(reason ? `skip  ${name}: ${reason}` : `ok    ${name} (${seconds} s)`)
  } catch (error) {
    counts.failed += 1
    console.log(`FAIL  ${name}\n${error.message}`)
    break
  }
}
rmSync(work, { recursive: true, force: true })
console.log(`package: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = counts.failed > 0 ? 1 : 0
