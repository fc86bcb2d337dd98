// The report of run folders in every state: whole, just begun, without a summary, with hostile text.
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { beforeEach, describe, expect, it } from 'vitest'
import { InputError } from '../../../src/errors.js'
import { writeReport } from '../../../src/report/index.js'
import { readRun } from '../../../src/report/read.js'
import { gain, standardError } from '../../../src/report/table.js'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'report-'))
})

function put(file: string, content: unknown): void {
  writeFileSync(join(dir, file), typeof content === 'string' ? content : JSON.stringify(content))
}

async function report(): Promise<string> {
  return readFileSync(await writeReport(dir), 'utf8')
}

const rows = Array.from({ length: 30 }, (_, i) => ({
  step: i + 1,
  epoch: 0,
  reward: i / 30,
  'rewards/accuracy/mean': 0.5,
  kl: 0.01,
  grad_norm: 1,
  learning_rate: 1e-4,
}))
const metrics = rows.map((row) => JSON.stringify(row)).join('\n')
const score = (accuracy: number, count = 400) => ({ accuracy, count })
const summary = {
  base: { accuracy: 0.6, reward: 0.7, byTask: { object_counting: score(0.5), object_closest: score(0.7) } },
  trained: { accuracy: 0.75, reward: 0.85, byTask: { object_counting: score(0.62), object_closest: score(0.88) } },
  blind: { accuracy: 0.3, byTask: { object_counting: score(0.25), object_closest: 0.35 } },
  grey: { base: { accuracy: 0.2, byTask: {} }, trained: { accuracy: 0.25, byTask: {} } },
  heldOutQuestions: 800,
  seed: 2,
  steps: 30,
  seconds: { setup: 1, train: 2, eval: 3 },
}

describe('writeReport', () => {
  it('shows curves, results with errors, and facts of a whole run', async () => {
    put('config.json', { model: 'some/model', args: { seed: 2 } })
    put('metrics.jsonl', metrics)
    put('summary.json', summary)
    const html = await report()
    for (const title of ['Reward', 'Accuracy', 'KL to the reference policy', 'Gradient norm', 'Learning rate']) {
      expect(html).toContain(`<b>${title}</b>`)
    }
    expect(html).toMatch(/object counting<\/th><td>400<\/td><td>50.0 <span class="se">± 2.5<\/span>/)
    expect(html).toContain('+15.0 <span class="se">± 2.3</span>')
    expect(html).toMatch(/grey frames, trained/)
    expect(html).not.toMatch(/supervised, continued/)
    expect(html).toContain('some/model')
  })

  it('asks for nothing outside its own file', async () => {
    put('config.json', { model: 'm' })
    put('metrics.jsonl', metrics)
    put('summary.json', summary)
    const html = await report()
    expect(html).not.toMatch(/(src|href)="(?!data:)|@import|url\(|https?:\/\//)
    expect(html.match(/<script/g)).toHaveLength(1)
  })

  it('works for a run that has just begun, and for one that left only a summary', async () => {
    put('config.json', {})
    expect(await report()).toContain('No step has been recorded yet.')
    dir = mkdtempSync(join(tmpdir(), 'report-'))
    put('summary.json', summary)
    expect(await report()).toContain('75.0')
  })

  it('reads past a row that is being written, and values that were not finite', async () => {
    put('metrics.jsonl', `{"step":1,"reward":null}\n{"step":2,"reward":0.5}\n{"step":3,"rew`)
    expect(readRun(dir).steps).toHaveLength(2)
    expect(await report()).toContain('1 value was not finite.')
  })

  it('says which file it could not read instead of failing', async () => {
    put('metrics.jsonl', metrics)
    put('summary.json', '{"base": ')
    expect(await report()).toMatch(/class="problem">summary.json could not be read/)
  })

  it('keeps text of the model and of the data from becoming markup', async () => {
    put('config.json', { model: '<img src=x>' })
    put('metrics.jsonl', metrics)
    const row = {
      step: 1,
      exampleId: 1,
      question: '<b>q</b>',
      answer: '"><i>',
      completion: '</q><script>alert(1)</script>',
      reward: 1,
    }
    put('completions.jsonl', `${JSON.stringify(row)}\n`)
    const html = await report()
    expect(html).toContain('&lt;/q&gt;&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(html).not.toMatch(/<img src=x>|<b>q<\/b>|<script>alert|"><i>/)
  })

  it('shows the groups of the last step when there are no samples, with rewards that did not apply as a dash', async () => {
    put('metrics.jsonl', metrics)
    const row = { exampleId: 'r', question: 'How many?', answer: 3 }
    put(
      'completions.jsonl',
      [
        { ...row, step: 1, completion: 'early', reward: 0 },
        { ...row, step: 9, completion: 'three', reward: 1 },
        { ...row, step: 9, completion: '', reward: null },
      ]
        .map((entry) => JSON.stringify(entry))
        .join('\n'),
    )
    const html = await report()
    expect(html).not.toContain('early')
    expect(html).toMatch(/2 of 2<\/th><td><i>\(empty\)<\/i><\/td><td class="reward">–/)
  })

  it('embeds frames, makes large ones smaller, and counts those that are missing', async () => {
    put('metrics.jsonl', metrics)
    mkdirSync(join(dir, 'frames'))
    const flat = (side: number) => sharp({ create: { width: side, height: side, channels: 3, background: '#c33' } })
    await flat(56).png().toFile(join(dir, 'frames/small.png'))
    await flat(2000).tiff({ compression: 'none' }).toFile(join(dir, 'frames/large.tiff'))
    const frames = ['frames/small.png', 'frames/large.tiff', 'frames/none.png']
    const answer = { completion: '3', reward: 1 }
    put('samples.json', [{ frames, question: 'q', answer: '3', base: { completion: '2', reward: 0 }, trained: answer }])
    const html = await report()
    expect(html.match(/src="data:image\/png;base64,/g)).toHaveLength(2)
    expect(html).toContain('1 of 3 frames could not be embedded.')
    expect(html.length).toBeLessThan(100_000)
  })

  it('says what a folder lacks when it is not a run', async () => {
    await expect(writeReport(dir)).rejects.toThrow(InputError)
    await expect(writeReport(dir)).rejects.toThrow(/not a run folder \(no config.json/)
    await expect(writeReport(join(dir, 'none'))).rejects.toThrow(/none: no such folder/)
  })
})

describe('the error of a result', () => {
  it('is that of a share, and unknown without a count', () => {
    expect(standardError({ accuracy: 0.5, count: 100 })).toBeCloseTo(0.05)
    expect(standardError({ accuracy: 0.5 })).toBeNaN()
  })
  it('adds up in the gain', () => {
    put('summary.json', summary)
    const read = readRun(dir).summary
    const found = read && gain(read, (result) => result.byTask.object_counting)
    expect(found?.value).toBeCloseTo(0.12)
    expect(found?.error).toBeCloseTo(Math.sqrt(0.25 / 400 + (0.62 * 0.38) / 400))
  })
})
