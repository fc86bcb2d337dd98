// `vsgrpo questions`, as a user calls it: questions made from records, answers to given ones, mistakes told in one line.
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { register } from '../../../src/cli/questions.js'
import { makeRooms, writeRooms } from '../../../src/data/rooms/index.js'
import { runCli } from '../../printed.js'
import { labelTable, writeScan } from '../data/scenes/scan-fixture.js'

const rooms = mkdtempSync(join(tmpdir(), 'questions-rooms-'))
await writeRooms(join(rooms, 'home'), makeRooms({ recipe: 'home', count: 3, seed: 1 }))
const meta = join(rooms, 'home', 'scenes.json')

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'questions-'))
})

/** Runs the command; returns what it said, or the message it failed with. */
async function questions(...args: string[]): Promise<string> {
  const program = new Command('vsgrpo').exitOverride().configureOutput({ writeErr() {}, writeOut() {} })
  register(program)
  let said = ''
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    said += String(chunk)
    return true
  })
  try {
    await program.parseAsync(['questions', ...args], { from: 'user' })
    return said
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return `${error instanceof CommanderError ? 'usage' : error.name}: ${error.message.replaceAll(`${dir}/`, '')}`
  } finally {
    spy.mockRestore()
  }
}

function rowsOf(file: string): Record<string, unknown>[] {
  return readFileSync(join(dir, file), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

const out = (file: string): string[] => ['--output', join(dir, file)]

describe('vsgrpo questions', () => {
  it('makes questions from the records of rooms, and answers them again', async () => {
    expect(await questions('--scenes', meta, ...out('q.jsonl'))).toMatch(
      /room_size_estimation: 3\n.*\n\d+ questions about 3/s,
    )
    const made = rowsOf('q.jsonl')
    expect(made.length).toBeGreaterThan(30)
    expect(Object.keys(made[0] ?? {})).toEqual([
      ...['id', 'dataset', 'scene_name', 'question_type', 'question', 'options', 'ground_truth'],
    ])
    const said = await questions('--scenes', meta, '--answer', join(dir, 'q.jsonl'), ...out('a.jsonl'))
    expect(said).toMatch(`${made.length} of ${made.length} questions answered\n`)
    expect(rowsOf('a.jsonl')).toEqual(made.map(({ id, ground_truth }) => ({ id, prediction: ground_truth })))
  })

  it('answers the questions that came with the rooms, and null for other scenes', async () => {
    const given = readFileSync(join(rooms, 'home', 'questions.jsonl'), 'utf8')
    const other = JSON.stringify({ id: 'x', scene_name: 'elsewhere', question: 'How many bed(s) are in this room?' })
    writeFileSync(join(dir, 'q.jsonl'), `${given}${other}\n`)
    const flags = ['--answer', join(dir, 'q.jsonl'), '--definition', 'exact']
    const answered = await questions('--scenes', meta, ...flags, ...out('a.jsonl'))
    expect(answered).toMatch(/questions answered; the records cannot tell the others\n/)
    const rows = given
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(rowsOf('a.jsonl')).toEqual([
      ...rows.map((row) => ({ id: row.id, prediction: row.ground_truth })),
      { id: 'x', prediction: '' },
    ])
  })

  it('answers what eval scores, as the example of the paper says', async () => {
    await questions('--scenes', meta, ...out('q.jsonl'))
    await questions('--scenes', meta, '--answer', join(dir, 'q.jsonl'), ...out('a.jsonl'))
    const scored = ['--questions', join(dir, 'q.jsonl'), '--predictions', join(dir, 'a.jsonl')]
    const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    expect(await runCli('eval', '--benchmark', 'vsi-bench', ...scored)).toMatchObject({ code: 0, err: '' })
    expect(String(written.mock.calls)).toMatch(/100\.0/)
    written.mockRestore()
  })

  it('obeys tasks, caps, limits, styles, filters and seed', async () => {
    const flags = [
      '--tasks',
      'object_rel_distance,object_abs_distance',
      '--per-scene',
      '4',
      '--limit',
      '5',
      '--seed',
      '3',
    ]
    await questions(
      '--scenes',
      meta,
      ...flags,
      '--answer-style',
      'word',
      '--filter',
      'closestGap=0.5',
      ...out('q.jsonl'),
    )
    const kinds = rowsOf('q.jsonl').map((row) => row.question_type)
    expect(kinds.filter((kind) => kind === 'object_abs_distance')).toHaveLength(5)
    expect(new Set(kinds).size).toBe(2)
    expect(rowsOf('q.jsonl').every((row) => row.options === null)).toBe(true)
  })

  it('writes rows to train on, in the paper’s way', async () => {
    const said = await questions('--scenes', meta, '--preset', 'paper', '--videos', 'films', ...out('q.jsonl'))
    expect(said).toMatch(/object_abs_distance: \d+ of 75000/)
    expect(rowsOf('q.jsonl')[0]).toMatchObject({
      messages: [
        { role: 'user', content: [{ type: 'video', video: expect.stringMatching(/^films\/rooms\/.*mp4$/) }, {}] },
      ],
    })
  })

  it('reads ScanNet scans, and saves their records', async () => {
    writeFileSync(join(dir, 'labels.tsv'), labelTable)
    writeScan(join(dir, 'scans'), 'scene0000_00', { turned: 0.4 })
    const labels = ['--labels', join(dir, 'labels.tsv')]
    const saved = join(dir, 'meta.json')
    await questions('--scenes', join(dir, 'scans'), ...labels, '--save-scenes', saved, ...out('q.jsonl'))
    await questions('--scenes', saved, ...out('again.jsonl'))
    expect(rowsOf('again.jsonl')).toEqual(rowsOf('q.jsonl'))
    expect(rowsOf('q.jsonl').find((row) => row.question_type === 'object_counting')?.question).toContain('chair(s)')
  })

  it('refuses test scenes, and says how to force it', async () => {
    const [scene] = Object.values(JSON.parse(readFileSync(meta, 'utf8')))
    writeFileSync(join(dir, 'meta.json'), JSON.stringify({ scene0011_00: scene }))
    const flags = ['--scenes', join(dir, 'meta.json'), ...out('q.jsonl')]
    expect(await questions(...flags)).toMatch(/^InputError: scene 'scene0011_00' is in ScanNet's .*--allow-test-scenes/)
    expect(existsSync(join(dir, 'q.jsonl'))).toBe(false)
    await questions(...flags, '--allow-test-scenes')
    expect(rowsOf('q.jsonl').length).toBeGreaterThan(5)
  })

  it.each([
    [['--output', 'q.jsonl'], /^InputError: --scenes <paths...> is missing/],
    [
      ['--scenes', meta, '--tasks', 'object_countin'],
      /^InputError: --tasks: expected one of .*, got 'object_countin'; did you mean object_counting\?$/,
    ],
    [
      ['--scenes', meta, '--filter', 'angleMargn=3'],
      /^InputError: --filter: expected one of .*, got 'angleMargn'; did you mean angleMargin\?$/,
    ],
    [['--scenes', meta, '--filter', 'angleMargin=x'], /^usage: .*Expected a number of at least 0/],
    [['--scenes', meta, '--definition', 'center'], /^usage: .*Allowed choices are benchmark, exact, paper/],
    [
      ['--scenes', meta, '--answer', 'q.jsonl', '--per-scene', '3'],
      /^usage: .*cannot be used with option '--per-scene/,
    ],
    [['--scenes', 'none.json'], /^InputError: cannot read none.json/],
    [['--scenes', rooms], /^InputError: .*there is no ScanNet scan in it/],
  ])('tells the mistake in %j', async (args, message) => {
    expect(await questions(...args)).toMatch(message)
  })

  it.each([
    ['{"id":1,"question":"q"}', /q.jsonl:1: scene_name: expected a string, got nothing/],
    ['{"scene_name":"a","question":"q"}', /q.jsonl:1: id: expected a string or a number, got nothing/],
    [
      '{"id":1,"scene_name":"a","question":"q","options":"A"}',
      /q.jsonl:1: options: expected a list of options or null/,
    ],
    [
      '{"id":1,"scene_name":"a","question":"q"}\n\n{"id":1,"scene_name":"a","question":"q"}',
      /q.jsonl:3: id: there are two questions 1/,
    ],
    ['{"id":1,', /q.jsonl:1: .*the file is cut off/],
    ['[1]', /q.jsonl:1: expected a question/],
    ['\n', /q.jsonl: expected a question per line, got none/],
  ])('names the line and the field of the question %s', async (text, message) => {
    writeFileSync(join(dir, 'q.jsonl'), text)
    expect(await questions('--scenes', meta, '--answer', join(dir, 'q.jsonl'), ...out('a.jsonl'))).toMatch(message)
    expect(existsSync(join(dir, 'a.jsonl'))).toBe(false)
  })
})
