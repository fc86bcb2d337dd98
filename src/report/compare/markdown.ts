/** The comparison as Markdown: the same tables and answers, and each curve as a row of blocks. */
import { short, sparkline } from '../../log/format.js'
import type { Figure } from '../figures.js'
import { rewardText } from '../samples.js'
import type { SaidByRun, SharedPrompt } from './answers.js'
import type { Comparison } from './comparison.js'
import { meanOf } from './curves.js'
import type { Group } from './groups.js'
import { lastTenth } from './metrics.js'
import { type Phase, phases, pointsOf, quantitiesOf } from './quantities.js'
import { markdownTable, markdownText, type Table } from './table.js'

const sparkWidth = 32
const longestAnswer = 300

export function comparisonMarkdown({ title, lede, problems, groups, tables, prompts }: Comparison): string {
  return [
    `# ${markdownText(title)}\n\n${lede}\n`,
    ...problems.map((problem) => `> ${markdownText(problem)}\n`),
    ...tables.flatMap(({ heading, table }) => (table ? [`## ${heading}\n\n${markdownTable(table)}`] : [])),
    `## Curves\n`,
    ...quantitiesOf(groups.flatMap(({ runs }) => runs.map(({ run }) => run))).flatMap((figure) =>
      phases.map((phase) => curveTable(groups, figure, phase)),
    ),
    `## Answers to the same prompts\n`,
    ...(prompts.length > 0 ? prompts.map(answered) : ['No prompt was answered by two of the runs.\n']),
  ]
    .filter(Boolean)
    .join('\n')
}

function curveTable(groups: readonly Group[], { title, names }: Figure, phase: Phase): string {
  const rows = groups.flatMap(({ name, runs }) => {
    const curves = runs.map(({ run }) => pointsOf(run, names, phase)).filter(({ y }) => y.some(Number.isFinite))
    const finite = (curves.length > 0 ? meanOf(curves).y : []).filter(Number.isFinite)
    if (finite.length === 0) return []
    const first = lastTenth([...finite].reverse())
    return [{ name, cells: [sparkline(finite, sparkWidth), short(first), short(lastTenth(finite))] }]
  })
  const table: Table = { columns: ['run', 'curve, between its own extremes', 'first tenth', 'last tenth'], rows }
  return rows.length > 0 ? `### ${title}${phase === 'evaluation' ? ', evaluation' : ''}\n\n${markdownTable(table)}` : ''
}

function answered({ question, answer, said }: SharedPrompt): string {
  const truth = answer === undefined ? '' : `\n\nRight answer: **${markdownText(answer)}**`
  const table: Table = { columns: ['run', 'when', 'answers'], rows: said.map(answerRow), align: 'text' }
  return `**${markdownText(question)}**${truth}\n\n${markdownTable(table)}`
}

function answerRow({ name, when, answers }: SaidByRun): Table['rows'][number] {
  const shown = answers.slice(0, 3).map(({ text, times, reward }) => {
    const words = text.length > longestAnswer ? `${text.slice(0, longestAnswer)}…` : text
    return `${text === '' ? '(empty)' : `“${words}”`}${times > 1 ? ` × ${times}` : ''} (${rewardText(reward)})`
  })
  return { name, cells: [when, shown.join('; ')] }
}
