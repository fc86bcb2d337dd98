/** Text to token ids and back, by the checkpoint's own tokenizer.json. Nothing is added: no BOS, no EOS. */
import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers'
import { messageOf } from '../errors.js'
import type { JsonObject } from '../json.js'
import { checkpointError, readJson, readOptionalJson } from './json-file.js'

export interface DecodeOptions {
  /** Leave out special tokens such as <|im_end|> (default false). */
  readonly skipSpecialTokens?: boolean
}

export class Tokenizer {
  readonly #tokenizer: HubTokenizer

  constructor(tokenizerJson: JsonObject, tokenizerConfig: JsonObject) {
    this.#tokenizer = new HubTokenizer(tokenizerJson, tokenizerConfig)
  }

  /** Reads tokenizer.json (needed) and tokenizer_config.json (optional) from a checkpoint folder. */
  static async load(dir: string): Promise<Tokenizer> {
    const json = await readJson(dir, 'tokenizer.json')
    const config = (await readOptionalJson(dir, 'tokenizer_config.json')) ?? {}
    try {
      return new Tokenizer(json, config)
    } catch (error) {
      throw checkpointError(`${dir}/tokenizer.json: not a tokenizer (${messageOf(error)})`, undefined, error)
    }
  }

  /** Special tokens written in the text become their ids. */
  encode(text: string): Int32Array {
    if (text === '') return new Int32Array(0)
    return Int32Array.from(this.#tokenizer.encode(text, { add_special_tokens: false }).ids)
  }

  decode(ids: Int32Array | readonly number[], { skipSpecialTokens = false }: DecodeOptions = {}): string {
    if (ids.length === 0) return ''
    return this.#tokenizer.decode(Array.from(ids), { skip_special_tokens: skipSpecialTokens })
  }

  /** The id of a token by its exact spelling, or undefined. */
  id(token: string): number | undefined {
    return this.#tokenizer.token_to_id(token)
  }
}
