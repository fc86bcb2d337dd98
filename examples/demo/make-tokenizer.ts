/**
 * Trains the small byte-level BPE tokenizer of the demo's base checkpoint: Qwen2's normaliser, pre-tokeniser and special
 * tokens, its own short list of merges. The files load in vsgrpo and in transformers' Qwen2TokenizerFast.
 */
import { CHAT_TEMPLATE } from './chat-template.js'

export interface TrainedTokenizer {
  readonly tokenizerJson: object
  readonly tokenizerConfig: object
  /** Ids of the special tokens, by spelling. */
  readonly ids: Record<string, number>
  /** Entries in all, special tokens included: config.json's vocab_size. */
  readonly vocabSize: number
}

/** Qwen2-VL's special tokens in the order of their ids, which follow the base vocabulary. */
const SPECIAL_TOKENS = [
  'endoftext',
  'im_start',
  'im_end',
  'object_ref_start',
  'object_ref_end',
  'box_start',
  'box_end',
  'quad_start',
  'quad_end',
  'vision_start',
  'vision_end',
  'vision_pad',
  'image_pad',
  'video_pad',
].map((name) => `<|${name}|>`)

/** Qwen2's pre-tokeniser as tokenizer.json spells it; digits are always single tokens. */
const SPLIT_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/** The same for JavaScript, whose regular expressions have no (?i:…). */
const WORDS =
  /'(?:[st]|re|ve|m|ll|d)|'(?:[ST]|R[Ee]|rE|V[Ee]|vE|M|L[Ll]|lL|D)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu

interface Word {
  readonly count: number
  tokens: string[]
}

/**
 * `vocabSize` counts everything: 256 bytes, merges, 14 special tokens. Training stops early when no pair of tokens occurs
 * twice. The result depends on the texts alone. Throws RangeError below 270.
 */
export function trainTokenizer(texts: readonly string[], vocabSize: number): TrainedTokenizer {
  const alphabet = byteAlphabet()
  const smallest = alphabet.length + SPECIAL_TOKENS.length
  if (vocabSize < smallest) throw new RangeError(`vocabSize must be at least ${smallest}, got ${vocabSize}`)
  const merges = learnMerges(countWords(texts, alphabet), vocabSize - smallest)
  const base = [...new Set([...[...alphabet].sort(), ...merges.map((pair) => pair.join(''))])]
  const vocab = Object.fromEntries(base.map((token, id) => [token, id]))
  const ids = Object.fromEntries(SPECIAL_TOKENS.map((token, i) => [token, base.length + i]))
  return {
    tokenizerJson: tokenizerJson(vocab, merges, ids),
    tokenizerConfig: tokenizerConfig(ids),
    ids,
    vocabSize: base.length + SPECIAL_TOKENS.length,
  }
}

/** GPT-2's printable stand-in for each byte: itself where printable, else the next free character from U+0100. */
function byteAlphabet(): string[] {
  const printable = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++))
}

function countWords(texts: readonly string[], alphabet: readonly string[]): Word[] {
  const counts = new Map<string, number>()
  for (const text of texts) {
    for (const [word] of text.normalize('NFC').matchAll(WORDS)) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return [...counts].map(([word, count]) => ({ count, tokens: [...Buffer.from(word)].map((b) => alphabet[b] ?? '') }))
}

/** Merges until `limit` new tokens exist; two merges may spell the same token, which the vocabulary holds once. */
function learnMerges(words: readonly Word[], limit: number): [string, string][] {
  const merges: [string, string][] = []
  const tokens = new Set<string>()
  while (tokens.size < limit) {
    const pair = mostFrequentPair(words)
    if (!pair) break
    merges.push(pair)
    tokens.add(pair.join(''))
    for (const word of words) word.tokens = applyMerge(word.tokens, pair)
  }
  return merges
}

/** The pair with the highest count, at least 2; ties go to the one that sorts first. */
function mostFrequentPair(words: readonly Word[]): [string, string] | undefined {
  const counts = new Map<string, number>()
  for (const { tokens, count } of words) {
    for (let i = 1; i < tokens.length; i++) {
      const pair = `${tokens[i - 1]} ${tokens[i]}`
      counts.set(pair, (counts.get(pair) ?? 0) + count)
    }
  }
  let best: string | undefined
  let bestCount = 1
  for (const [pair, count] of counts) {
    if (count > bestCount || (count === bestCount && best !== undefined && pair < best)) {
      best = pair
      bestCount = count
    }
  }
  const [left, right] = best?.split(' ') ?? []
  return left !== undefined && right !== undefined ? [left, right] : undefined
}

function applyMerge(tokens: readonly string[], [left, right]: readonly [string, string]): string[] {
  const merged: string[] = []
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] ?? ''
    if (token === left && tokens[i + 1] === right) {
      merged.push(left + right)
      i += 1
    } else {
      merged.push(token)
    }
  }
  return merged
}

function addedToken(content: string) {
  return { content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
}

function tokenizerJson(vocab: Record<string, number>, merges: [string, string][], ids: Record<string, number>): object {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false }
  const split = { type: 'Split', pattern: { Regex: SPLIT_PATTERN }, behavior: 'Isolated', invert: false }
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((token) => ({ id: ids[token], ...addedToken(token) })),
    normalizer: { type: 'NFC' },
    pre_tokenizer: { type: 'Sequence', pretokenizers: [split, byteLevel] },
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges: merges.map((pair) => pair.join(' ')),
    },
  }
}

function tokenizerConfig(ids: Record<string, number>): object {
  return {
    add_prefix_space: false,
    added_tokens_decoder: Object.fromEntries(SPECIAL_TOKENS.map((token) => [String(ids[token]), addedToken(token)])),
    additional_special_tokens: SPECIAL_TOKENS.slice(1),
    bos_token: null,
    chat_template: CHAT_TEMPLATE,
    clean_up_tokenization_spaces: false,
    eos_token: '<|im_end|>',
    errors: 'replace',
    model_max_length: 32768,
    pad_token: '<|endoftext|>',
    padding_side: 'left',
    split_special_tokens: false,
    tokenizer_class: 'Qwen2Tokenizer',
    unk_token: null,
  }
}
