/** Messages to the text that the model was trained on, by the checkpoint's own Jinja template, parsed once. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Template } from '@huggingface/jinja'
import { InputError, messageOf } from '../errors.js'
import { isObject, type JsonObject } from '../json.js'
import type { Message } from '../types.js'
import { checkpointError, readOptionalJson } from './json-file.js'

export class ChatTemplate {
  readonly #template: Template
  readonly #variables: JsonObject

  /** `variables` are special tokens that a template may name: bos_token, eos_token, … */
  constructor(source: string, variables: JsonObject = {}) {
    this.#template = new Template(source)
    this.#variables = variables
  }

  /** Looks in chat_template.jinja, chat_template.json, tokenizer_config.json, in this order. */
  static async load(dir: string): Promise<ChatTemplate> {
    const tokenizerConfig = (await readOptionalJson(dir, 'tokenizer_config.json')) ?? {}
    const own = await readOptionalJson(dir, 'chat_template.json')
    const file = join(dir, 'chat_template.jinja')
    const jinja = existsSync(file) ? await readFile(file, 'utf8') : undefined
    const source = jinja ?? templateText(own?.chat_template) ?? templateText(tokenizerConfig.chat_template)
    if (source === undefined) {
      throw checkpointError(
        `${dir}: no chat template in chat_template.jinja, chat_template.json or tokenizer_config.json`,
        "Copy one of them from the model's page.",
      )
    }
    try {
      return new ChatTemplate(source, specialTokens(tokenizerConfig))
    } catch (error) {
      throw checkpointError(`${dir}: the chat template does not parse (${messageOf(error)})`, undefined, error)
    }
  }

  /** The conversation followed by the opening of the assistant's turn. Errors that the template raises are InputErrors. */
  render(messages: readonly Message[]): string {
    try {
      return this.#template.render({ ...this.#variables, messages, add_generation_prompt: true })
    } catch (error) {
      throw new InputError(`the chat template refuses the messages: ${messageOf(error)}`, { cause: error })
    }
  }
}

/** A template is a string, or a list of named ones of which 'default' counts. */
function templateText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) return undefined
  const named: unknown = value.find((entry: unknown) => isObject(entry) && entry.name === 'default')
  return isObject(named) && typeof named.template === 'string' ? named.template : undefined
}

function specialTokens(config: JsonObject): JsonObject {
  const tokens: Record<string, string> = {}
  for (const [key, value] of Object.entries(config)) {
    const content = isObject(value) ? value.content : value
    if (key.endsWith('_token') && typeof content === 'string') tokens[key] = content
  }
  return tokens
}
