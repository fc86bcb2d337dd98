/** Runs that fail on the way: exit code 1 and one line, and what was saved before is whole and can be gone on from. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { base, type Ended, makeRooms, root, scratch, sha256, start, vsgrpo, writeConfig } from './cli.js'

const folder = scratch()
beforeAll(async () => {
  await makeRooms(folder.dir, 4)
})

/** A run with a checkpoint at every step. */
function configure(name: string, outputDir: string, config: object = {}): string {
  const args = { maxSteps: 2, saveSteps: 1, outputDir, lrSchedulerType: 'constant' }
  return writeConfig(folder.dir, name, { trainDataset: 'rooms/questions.jsonl', args, ...config })
}

function fileHashes(dir: string): Record<string, string> {
  return Object.fromEntries(readdirSync(dir).map((name) => [name, sha256(join(dir, name))]))
}

/** The last line says it, and no stack follows. */
function expectFailure({ code, err }: Ended, message: RegExp): void {
  expect(err.trimEnd().split('\n').at(-1)).toMatch(message)
  expect(err).not.toMatch(/\n\s+at /)
  expect(code).toBe(1)
}

async function expectUsable(checkpoint: string): Promise<void> {
  const input = join(folder.dir, 'rooms', 'questions.jsonl')
  const { code, out, err } = await vsgrpo(folder.dir, 'score', '--model', checkpoint, '--input', input)
  expect({ code, rows: out.trimEnd().split('\n').length }, err).toEqual({ code: 0, rows: 12 })
}

describe('a reward that fails in the second step', () => {
  it.each([
    ['throws', 'throw new TypeError("no such chair")', /threw: no such chair/],
    ['gives NaN', 'return Number.NaN', /gave NaN; expected a finite number, or null/],
  ])('and %s ends the run with the example named', async (name, statement, message) => {
    const run = `reward-${name.replace(' ', '-')}`
    writeFileSync(
      join(folder.dir, `${run}.mjs`),
      `let calls = 0\nexport const mine = () => { if (++calls > 12) { ${statement} } return calls % 2 }\n`,
    )
    configure(run, run, { rewardFuncs: [`./${run}.mjs#mine`] })
    const ended = await vsgrpo(folder.dir, 'grpo', `${run}.yaml`)
    expectFailure(ended, /^error: \[reward mine\] example demo-train-0-0000\d-\d, completion ".*": /)
    expectFailure(ended, message)
    expect(readdirSync(join(folder.dir, run, 'checkpoints'))).toEqual(['step-1'])
    await expectUsable(join(folder.dir, run, 'checkpoints', 'step-1'))
  })
})

describe('a disk that is full when the second checkpoint is saved', () => {
  const mounted: string[] = []
  afterAll(() => {
    for (const dir of mounted) execFileSync('umount', [dir])
  })

  /** A file system of 30 MB, room for one checkpoint; undefined where this user may not mount one. */
  function smallDisk(): string | undefined {
    const dir = join(folder.dir, 'disk')
    mkdirSync(dir)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=30m', 'tmpfs', dir], { stdio: 'pipe' })
      mounted.push(dir)
      return dir
    } catch (error) {
      console.log(`no small disk: ${error instanceof Error ? error.message.trim() : error}`)
      return undefined
    }
  }

  it('leaves the first as it was', async ({ skip }) => {
    const disk = smallDisk()
    if (!disk) return skip('needs the right to mount a tmpfs; the next test limits file sizes instead')
    const checkpoints = join(disk, 'run', 'checkpoints')
    configure('full', join(disk, 'run'))
    const message = /^error: cannot write \S*step-2: the disk is full: free some space and go on with --resume/
    expectFailure(await vsgrpo(folder.dir, 'grpo', 'full.yaml'), message)
    expect(readdirSync(checkpoints)).toEqual(['step-1'])
    const before = fileHashes(join(checkpoints, 'step-1'))
    expectFailure(await vsgrpo(folder.dir, 'grpo', 'full.yaml', '--resume'), message)
    expect(readdirSync(checkpoints)).toEqual(['step-1'])
    expect(fileHashes(join(checkpoints, 'step-1'))).toEqual(before)
    await expectUsable(join(checkpoints, 'step-1'))
  })

  it('or refuses a file of its size: the run goes on once there is room', async () => {
    const checkpoints = join(folder.dir, 'limited', 'checkpoints')
    configure('limited', 'limited', { args: { maxSteps: 2, saveSteps: 1, outputDir: 'limited' } })
    expect(await vsgrpo(folder.dir, 'grpo', 'limited.yaml', '--max-steps', '1')).toMatchObject({ code: 0 })
    const before = fileHashes(join(checkpoints, 'step-1'))
    // Node ignores SIGXFSZ: a write past the limit (in KiB) fails as on a full disk.
    const main = join(root, 'dist', 'cli', 'main.js')
    const limited = `ulimit -f 4000; exec "${process.execPath}" "${main}" grpo limited.yaml --resume`
    const ended = await start('bash', ['-c', limited], { cwd: folder.dir }).ended
    expectFailure(ended, /^error: cannot write \S*step-2: the file would be larger than this system allows/)
    expect(readdirSync(checkpoints)).toEqual(['step-1'])
    expect(fileHashes(join(checkpoints, 'step-1'))).toEqual(before)
    expect(await vsgrpo(folder.dir, 'grpo', 'limited.yaml', '--resume')).toMatchObject({ code: 0 })
    await expectUsable(join(checkpoints, 'step-2'))
  })

  it('leaves an older output file of generate as it was', async () => {
    const output = join(folder.dir, 'answers.jsonl')
    writeFileSync(output, 'older\n')
    const before = sha256(output)
    const main = join(root, 'dist', 'cli', 'main.js')
    const command = `"${process.execPath}" "${main}" generate --model "${base}" --input rooms/questions.jsonl`
    const limited = `ulimit -f 1; exec ${command} --num-generations 8 --max-new-tokens 4 --output answers.jsonl`
    expectFailure(
      await start('bash', ['-c', limited], { cwd: folder.dir }).ended,
      /cannot write answers\.jsonl: the file/,
    )
    expect(sha256(output)).toBe(before)
    expect(readdirSync(folder.dir).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

it('a model whose weights have diverged is told so', async () => {
  const dir = join(folder.dir, 'diverged')
  cpSync(base, dir, { recursive: true })
  const script = `const fs = require('fs'); const f = process.argv[1]; const b = fs.readFileSync(f)
    const n = Number(b.readBigUInt64LE(0)); const h = JSON.parse(b.subarray(8, 8 + n))
    const [at, end] = h['model.norm.weight'].data_offsets; b.fill(0xff, 8 + n + at, 8 + n + end); fs.writeFileSync(f, b)`
  execFileSync(process.execPath, ['-e', script, join(dir, 'model.safetensors')])
  const run = ['generate', '--model', dir, '--input', 'rooms/questions.jsonl', '--output', 'diverged.jsonl']
  expectFailure(await vsgrpo(folder.dir, ...run), /the weights have diverged/)
  expect(readdirSync(folder.dir)).not.toContain('diverged.jsonl')
  rmSync(dir, { recursive: true })
})
