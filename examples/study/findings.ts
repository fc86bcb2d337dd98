/**
 * The paper's findings (arXiv 2504.00883) as questions to the study's numbers. The criteria were written before any result was
 * seen; `verdicts.ts` says what counts. Pure.
 */
import { yardstick } from './cells.js'
import { collapse, quickFormat } from './curve-findings.js'
import type { Study } from './lines.js'
import type { Statistics } from './statistics.js'
import { Comparer, type Finding, type Wanted } from './verdicts.js'

/** Points within which nothing has changed: of the average, and of one task. */
const margins = { average: 2, task: 5 }

const base: Wanted = { method: 'base', mode: 'vanilla' }
const grpo: Wanted = { ...yardstick, budget: 'examples' }
const sft: Wanted = { method: 'sft', budget: 'examples' }
const dpo: Wanted = { method: 'dpo', budget: 'examples' }

export function findings(study: Study, statistics: Statistics): Finding[] {
  const compare = new Comparer(study, statistics)
  return [
    compare.above('GRPO with vanilla prompts improves the base (table 2: 23.3 to 35.4).', grpo, base),
    compare.above('SFT improves the base (23.3 to 29.6).', sft, base),
    compare.equal('DPO hardly changes the base (23.3 to 23.9).', dpo, base, 'average', margins.average),
    compare.above('GRPO beats SFT (35.4 and 29.6), at equal numbers of examples.', grpo, sft),
    compare.above('GRPO beats SFT, at equal compute.', grpo, { ...sft, budget: 'compute' }),
    compare.above('SFT beats DPO (29.6 and 23.9).', sft, dpo),
    compare.above('GRPO gains more on numbers than on choices (+22.6 and +2.3).', grpo, base, 'numbers over choices'),
    compare.equal(
      'The order of appearance, which is not trained, stays as it is (18.9 and 18.9).',
      ...([grpo, base, 'obj_appearance_order', margins.task] as const),
    ),
    collapse(study),
    compare.notHelped(
      'Asking the untrained model to think does not help (table 1: 23.3 vanilla, 22.9 think).',
      'think',
    ),
    compare.notHelped('Asking it to observe does not help either (23.3 vanilla, 21.8 observe).', 'observe'),
    compare.above('Training with vanilla prompts beats think (35.4 and 29.6).', grpo, { ...grpo, mode: 'think' }),
    compare.above('Training with vanilla prompts beats observe (35.4 and 31.2).', grpo, { ...grpo, mode: 'observe' }),
    compare.above(
      'Training to think does more for relative directions (38.5 think, 30.9 vanilla).',
      ...([{ ...grpo, mode: 'think' }, grpo, 'object_rel_direction'] as const),
    ),
    quickFormat(study),
  ]
}

/** Not the paper's: whether what was learned has to do with what is shown. */
export function controls(study: Study, statistics: Statistics): Finding[] {
  const compare = new Comparer(study, statistics)
  return [
    compare.above('The base needs the picture: it is worse on grey frames.', base, { ...base, show: 'grey' }),
    compare.above('What GRPO learned needs the picture: it is worse on grey frames.', grpo, { ...grpo, show: 'grey' }),
    compare.aboveBlind('GRPO is better than any answer that does not look.', grpo),
    compare.aboveBlind('SFT is better than any answer that does not look.', sft),
  ]
}
