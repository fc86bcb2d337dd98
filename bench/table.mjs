/**
 * The table between `<!-- bench -->` and `<!-- /bench -->` in the README, from bench/results alone: `npm run bench -- table`
 * writes it, `--check` only says whether it is up to date.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root } from './rig/record.mjs'

const [BEGIN, END] = ['<!-- bench -->', '<!-- /bench -->']

/** @param {readonly string[]} args */
export async function main(args) {
  const { check } = parseArgs({ args: [...args], options: { check: { type: 'boolean' } } }).values
  const file = join(root, 'README.md')
  const before = readFileSync(file, 'utf8')
  const after = insertTable(before, tableOf(readResults(join(root, 'bench/results'))))
  if (before === after) return
  if (check)
    throw new Error('README.md: the table of benchmarks is not what bench/results says; npm run bench -- table')
  writeFileSync(file, after)
}

/** @param {string} folder */
function readResults(folder) {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : []
  return names.sort().map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))
}

/**
 * The text with the table between its markers; throws where there are none.
 * @param {string} text
 * @param {string} table
 */
export function insertTable(text, table) {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`README.md: expected ${BEGIN} and, after it, ${END}`)
  return `${text.slice(0, begin + BEGIN.length)}\n${table}\n${text.slice(end)}`
}

/**
 * A Markdown table, a line for each result that has a peer; the others (load, scaling) are files to look at.
 * @param {readonly object[]} results
 */
export function tableOf(results) {
  const compared = results.filter(({ ours, peer }) => ours && peer)
  const rows = compared.map((result) => {
    const { ours, oursLean, peer, ratio, ratioRange, commit = '' } = result
    const range = ratioRange ? ` (${ratioRange.map(times).join(' to ')})` : ''
    const measure = measureOf(result)
    const lean = oursLean ? ` (lean ${gigabytes(oursLean.peakBytes)})` : ''
    const memory =
      ours.peakBytes && peer.peakBytes ? `${gigabytes(ours.peakBytes)}${lean}, ${gigabytes(peer.peakBytes)}` : ''
    const cells = [
      titleOf(result),
      measure(ours),
      `${peer.name}: ${measure(peer)}`,
      `**${times(ratio)}**${range}`,
      memory,
    ]
    return `| ${[...cells, `${commit.slice(0, 7)}`].join(' | ')} |`
  })
  const head = [
    '| benchmark | vsgrpo | peer | ratio | peak memory, ours and peer | commit |',
    '| --- | --- | --- | --- | --- | --- |',
  ]
  return [...head, ...rows].join('\n')
}

function titleOf({ benchmark, workload, dtype, shape, ours }) {
  const { promptTokens, questions = 1, pairs, group, newTokens } = shape
  if (!promptTokens) return `\`${benchmark}\``
  const answers = pairs ? `${pairs} pairs` : `${questions > 1 ? `${questions} x ` : ''}${group} completions`
  const sizes = `${promptTokens} + ${newTokens} tokens, ${answers}`
  return `\`${benchmark}\` ${workload}: ${sizes}${dtype === 'float32' ? `, float32 (${ours.versions.cpu})` : ''}`
}

function measureOf({ benchmark }) {
  if (benchmark === 'memory') return ({ peakBytes }) => gigabytes(peakBytes)
  if (benchmark === 'generate') return ({ tokensPerSecond }) => `${Number(tokensPerSecond.toPrecision(3))} tokens/s`
  return ({ secondsPerStep, seconds = secondsPerStep }) => `${seconds.toPrecision(3)} s`
}

function gigabytes(bytes) {
  return `${(bytes / 1e9).toPrecision(3)} GB`
}

function times(ratio) {
  return `${ratio.toPrecision(3)}x`
}
