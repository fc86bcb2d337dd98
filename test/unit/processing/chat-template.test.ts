import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CHAT_TEMPLATE } from '../../../examples/demo/chat-template.js'
import { InputError } from '../../../src/errors.js'
import { ChatTemplate } from '../../../src/processing/chat-template.js'
import { FIXTURES, golden } from '../../parity/processor-golden.js'

const MESSAGES = [{ role: 'user' as const, content: 'hi' }]

function folder(files: Record<string, string>): string {
  const dir = mkdtempSync(join(tmpdir(), 'vsgrpo-template-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  return dir
}

describe('ChatTemplate', () => {
  it.each(Object.entries(golden.prompts))('renders what Jinja renders: %s', async (_, { messages, hf }) => {
    const template = await ChatTemplate.load(FIXTURES)
    expect(template.render(messages)).toBe(hf?.prompt)
  })

  it('of the demo is the one that the golden prompts were made with', () => {
    expect(readFileSync(join(FIXTURES, 'chat_template.jinja'), 'utf8')).toBe(CHAT_TEMPLATE)
  })

  it('is found in three places, the first of which wins', async () => {
    const json = JSON.stringify({ chat_template: 'json' })
    const config = JSON.stringify({
      chat_template: [
        { name: 'tools', template: 'no' },
        { name: 'default', template: 'config' },
      ],
    })
    const files: Record<string, string> = { 'tokenizer_config.json': config }
    expect((await ChatTemplate.load(folder(files))).render(MESSAGES)).toBe('config')
    files['chat_template.json'] = json
    expect((await ChatTemplate.load(folder(files))).render(MESSAGES)).toBe('json')
    files['chat_template.jinja'] = 'jinja'
    expect((await ChatTemplate.load(folder(files))).render(MESSAGES)).toBe('jinja')
  })

  it('may name the special tokens of tokenizer_config.json', async () => {
    const config = JSON.stringify({
      eos_token: { content: '<end>' },
      bos_token: null,
      chat_template: '{{ eos_token }}',
    })
    expect((await ChatTemplate.load(folder({ 'tokenizer_config.json': config }))).render(MESSAGES)).toBe('<end>')
  })

  it('complains when there is none, when it does not parse and when it refuses the messages', async () => {
    await expect(ChatTemplate.load(folder({}))).rejects.toThrow(/no chat template/)
    await expect(ChatTemplate.load(folder({ 'chat_template.jinja': '{% if %}' }))).rejects.toThrow(/does not parse/)
    const strict = new ChatTemplate("{{ raise_exception('no such role') }}")
    expect(() => strict.render(MESSAGES)).toThrow(InputError)
    expect(() => strict.render(MESSAGES)).toThrow(/no such role/)
  })
})
