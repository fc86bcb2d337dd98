/** The comparison as one page of HTML: runs, results, options, curves, answers. All of it inline. */
import { escapeHtml } from '../html.js'
import { framesHtml, rewardText } from '../samples.js'
import { readoutScript } from '../script.js'
import { colors, strokeClass } from '../strokes.js'
import { style } from '../style.js'
import type { SaidByRun, SharedPrompt } from './answers.js'
import type { Comparison } from './comparison.js'
import { mainCharts, otherCharts, timeCharts } from './curves.js'
import type { Group } from './groups.js'
import { compareStyle, hidingStyle } from './style.js'
import { htmlTable, type Table } from './table.js'

const longestAnswer = 400
const answersShown = 3

export async function comparisonPage(comparison: Comparison): Promise<string> {
  const { title, lede, problems, groups, tables, prompts } = comparison
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escapeHtml(title)}: comparison of runs</title><style>${style}${compareStyle}${hidingStyle(groups.length)}</style></head><body><main>`,
    `<header><p class="kicker">vsgrpo comparison of runs</p><h1>${escapeHtml(title)}</h1><p class="lede">${escapeHtml(lede)}</p></header>`,
    ...problems.map((problem) => `<p class="problem">${escapeHtml(problem)}</p>`),
    ...tables.map(({ heading, table }) => tableSection(heading, table)),
    curves(groups),
    section('Answers to the same prompts', await answers(prompts)),
    `</main><script>${readoutScript}</script></body></html>\n`,
  ].join('\n')
}

function section(title: string, content: string): string {
  return `<section><h2>${escapeHtml(title)}</h2>${content}</section>`
}

function tableSection(title: string, table: Table | undefined): string {
  return table ? section(title, htmlTable(table)) : ''
}

function curves(groups: readonly Group[]): string {
  const { charts: others, constant } = otherCharts(groups)
  const byTime = timeCharts(groups)
  const same =
    constant.length > 0
      ? `<p class="note">The same in all steps of all runs: ${escapeHtml(constant.join(', '))}.</p>`
      : ''
  return [
    `<section class="over"><h2>Curves</h2>${keys(groups)}<p class="note">${note(groups)}</p><div class="charts">${mainCharts(groups)}</div>`,
    byTime ? `<h3>By time of training</h3><div class="charts">${byTime}</div>` : '',
    others ? `<details><summary>All other metrics</summary><div class="charts">${others}</div>${same}</details>` : same,
    '</section>',
  ].join('')
}

/** What a colour stands for, at the top of the page while the curves pass below it; a click hides a run. */
function keys(groups: readonly Group[]): string {
  const boxes = groups.map(
    ({ name, color }) =>
      `<label class="key ${strokeClass(color)}"><input type="checkbox" id="show-r${color}" checked>${escapeHtml(name)}</label>`,
  )
  return `<div class="keys">${boxes.join('')}</div>`
}

function note(groups: readonly Group[]): string {
  const seeds = groups.some(({ runs }) => runs.length > 1)
  return [
    'Means over a twentieth of each run’s steps.',
    seeds ? 'Thin: single seeds. Bold: their mean, as far as all of them go.' : '',
    groups.length > colors ? 'Dashes: a colour that is used again.' : '',
  ]
    .filter(Boolean)
    .join(' ')
}

async function answers(prompts: readonly SharedPrompt[]): Promise<string> {
  if (prompts.length === 0)
    return '<p>No prompt was answered by two of the runs: only completions.jsonl and samples.json hold answers.</p>'
  const cards = await Promise.all(prompts.map(card))
  return `<div class="samples wider">${cards.join('')}</div>`
}

async function card({ dir, frames, question, answer, said }: SharedPrompt): Promise<string> {
  const truth = answer === undefined ? '' : `<p class="truth">Right answer: <b>${escapeHtml(answer)}</b></p>`
  return [
    `<article class="sample">${await framesHtml(dir, frames, 4)}<p class="question">${escapeHtml(question)}</p>${truth}`,
    `<table class="answers"><tbody>${said.map(answerRow).join('')}</tbody></table></article>`,
  ].join('')
}

function answerRow({ name, color, when, answers: given }: SaidByRun): string {
  const shown = given.slice(0, answersShown).map(({ text, times, reward }) => {
    const words =
      text === ''
        ? '<i>(empty)</i>'
        : `<q>${escapeHtml(text.length > longestAnswer ? `${text.slice(0, longestAnswer)}…` : text)}</q>`
    return `<p>${words}${times > 1 ? ` × ${times}` : ''} <span class="reward">${reward === null ? 'no reward' : `reward ${rewardText(reward)}`}</span></p>`
  })
  const more = given.length > answersShown ? `<p class="se">and ${given.length - answersShown} more</p>` : ''
  return `<tr><th scope="row"><span class="key ${strokeClass(color)}">${escapeHtml(name)}</span><span class="se">${escapeHtml(when)}</span></th><td>${shown.join('')}${more}</td></tr>`
}
