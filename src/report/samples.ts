/** The sample questions: frames, question, right answer, and what each model said with the reward it got. */
import { short } from '../log/format.js'
import { type Frame, loadFrame } from './frames.js'
import { escapeHtml } from './html.js'
import type { Sample } from './read.js'

export interface SampleLimits {
  /** Questions shown. */
  readonly samples: number
  /** Frames of each, evenly chosen. */
  readonly frames: number
  /** Answers of each. */
  readonly answers: number
}

/** Markup of the first samples, or an empty string without any. */
export async function sampleCards(dir: string, samples: readonly Sample[], limits: SampleLimits): Promise<string> {
  const cards = await Promise.all(samples.slice(0, limits.samples).map((sample) => card(dir, sample, limits)))
  return cards.length > 0 ? `<div class="samples">${cards.join('')}</div>` : ''
}

async function card(dir: string, sample: Sample, limits: SampleLimits): Promise<string> {
  const answer =
    sample.answer === undefined ? '' : `<p class="truth">Right answer: <b>${escapeHtml(sample.answer)}</b></p>`
  return [
    `<article class="sample">${await framesHtml(dir, sample.frames, limits.frames)}`,
    sample.task ? `<p class="task">${escapeHtml(sample.task.replaceAll('_', ' '))}</p>` : '',
    `<p class="question">${escapeHtml(sample.question)}</p>${answer}<table class="answers"><tbody>`,
    sample.answers
      .slice(0, limits.answers)
      .map(({ by, answered }) => said(by, answered.completion, answered.reward))
      .join(''),
    '</tbody></table></article>',
  ].join('')
}

/** At most `count` frames of a prompt as markup, evenly chosen; those that are missing are counted. */
export async function framesHtml(dir: string, files: readonly string[], count: number): Promise<string> {
  const chosen = evenly(files, count)
  const frames = (await Promise.all(chosen.map((file) => loadFrame(dir, file)))).filter((frame) => frame !== undefined)
  const missing = chosen.length - frames.length
  const note = missing > 0 ? `<p class="note">${missing} of ${chosen.length} frames could not be embedded.</p>` : ''
  return `<div class="frames">${frames.map(image).join('')}</div>${note}`
}

function image(frame: Frame, index: number): string {
  const tiny = frame.width > 0 && frame.width < 140 ? ' class="tiny"' : ''
  return `<img${tiny} src="${frame.uri}" alt="frame ${index + 1}">`
}

function said(by: string, completion: string, reward: number | null): string {
  const shown = completion.length > 600 ? `${completion.slice(0, 600)}…` : completion
  const words = shown.trim() === '' ? '<i>(empty)</i>' : `<q>${escapeHtml(shown)}</q>`
  return `<tr><th scope="row">${escapeHtml(by)}</th><td>${words}</td><td class="reward">${rewardText(reward)}</td></tr>`
}

/** A dash where no reward applied. */
export function rewardText(reward: number | null): string {
  return reward === null ? '–' : short(reward)
}

/** At most `count` entries, first and last among them. */
function evenly<T>(entries: readonly T[], count: number): T[] {
  if (entries.length <= count) return [...entries]
  const picked = Array.from({ length: count }, (_, i) => entries[Math.round((i * (entries.length - 1)) / (count - 1))])
  return picked.filter((entry) => entry !== undefined)
}
