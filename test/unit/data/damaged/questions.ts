/** Questions and predictions of a benchmark, and questions to answer from records. */
import { readQuestions as readAsked } from '../../../../src/data/questions/read.js'
import { dataRows } from '../../../../src/data/stream-files.js'
import { readPredictions } from '../../../../src/eval/predictions.js'
import { debiased, readQuestions, withPrunedIds } from '../../../../src/eval/vsi-bench/questions.js'
import { counting, direction, questions } from '../../eval/questions.js'
import { type DamagedInput, lines, put, type SoundInputs } from './kinds.js'

const read = (content: string | Buffer) => async (dir: string) => {
  const path = put(dir, 'q.jsonl', content)
  return readQuestions(await dataRows(path), path)
}

function asked(name: string, values: readonly unknown[], message: string): DamagedInput {
  return { name: `questions with ${name}`, read: read(lines(values)), message }
}

function written(name: string, content: string | Buffer, message: RegExp): DamagedInput {
  return { name: `questions ${name}`, read: read(content), message }
}

function predicted(name: string, values: readonly unknown[], message: string): DamagedInput {
  const readBoth = async (dir: string) => {
    const path = put(dir, 'p.jsonl', lines(values))
    return readPredictions(await dataRows(path), [0, 'b'], path)
  }
  return { name: `predictions with ${name}`, read: readBoth, message }
}

function toAnswer(name: string, value: object, message: string): DamagedInput {
  return {
    name: `questions to answer with ${name}`,
    read: (dir) => readAsked(put(dir, 'a.jsonl', lines([{ id: 0, scene_name: 's', question: 'How many?' }, value]))),
    message,
  }
}

export const soundQuestions: SoundInputs = {
  questions: read(lines([counting, direction])),
  'questions to answer': (dir) => readAsked(put(dir, 'a.jsonl', lines([counting, direction]))),
}

export const damagedQuestions: readonly DamagedInput[] = [
  asked('a number for a row', [7], 'q.jsonl:1: row: expected a JSON object, got 7'),
  asked('no id', [{ ...counting, id: undefined }], 'q.jsonl:1: id: expected a text or a number, got nothing'),
  asked('a null id', [{ ...counting, id: null }], 'q.jsonl:1: id: expected a text or a number, got null'),
  asked(
    'one id twice',
    [counting, { ...direction, id: '0' }],
    'q.jsonl:2: id: expected an id that no other question has, got 0, as q.jsonl:1 has',
  ),
  asked('a numbered scene', [{ ...counting, scene_name: 5 }], 'q.jsonl:1: scene_name: expected a text, got 5'),
  asked('no data set', [{ ...counting, dataset: '' }], 'q.jsonl:1: dataset: expected a text, got ""'),
  asked('nothing asked', [{ ...counting, question: undefined }], 'q.jsonl:1: question: expected a text, got nothing'),
  asked(
    'a mistyped type',
    [{ ...counting, question_type: 'object_countin' }],
    'got "object_countin"; did you mean object_counting?',
  ),
  asked(
    'a word for a number',
    [{ ...counting, ground_truth: 'two' }],
    'q.jsonl:1: ground_truth: expected a number above 0, as object_counting asks for, got "two"',
  ),
  asked(
    'a truth of zero, which nothing is relative to',
    [{ ...counting, ground_truth: '0' }],
    'q.jsonl:1: ground_truth: expected a number above 0',
  ),
  asked(
    'options for a number',
    [{ ...counting, options: ['A. 1', 'B. 2'] }],
    'q.jsonl:1: options: expected null, as object_counting asks for a number',
  ),
  asked(
    'empty options',
    [counting, { ...direction, options: [] }],
    'q.jsonl:2: options: expected at least two options, got []',
  ),
  asked(
    'null for options',
    [{ ...direction, options: null }],
    'q.jsonl:1: options: expected at least two options, got null',
  ),
  asked(
    'options without letters',
    [{ ...direction, options: ['left', 'right'] }],
    'q.jsonl:1: options[0]: expected a text that begins with "A. ", got "left"',
  ),
  asked(
    'a letter left out',
    [{ ...direction, options: ['A. left', 'C. right'] }],
    'q.jsonl:1: options[1]: expected a text that begins with "B. "',
  ),
  asked(
    'the letter of no option',
    [{ ...direction, ground_truth: 'C' }],
    'q.jsonl:1: ground_truth: expected one of the letters A, B, got "C"',
  ),
  asked('a word for pruned', [{ ...counting, pruned: 'yes' }], 'q.jsonl:1: pruned: expected true or false, got "yes"'),
  asked(
    'pruned in some rows only',
    [{ ...counting, pruned: true }, direction],
    'q.jsonl:2: pruned: expected true or false, as other rows have it',
  ),
  written('that are none', '\n', /^q.jsonl: expected at least one question, got an empty file/),
  written(
    'in UTF-16',
    Buffer.from(`\uFEFF${JSON.stringify(counting)}`, 'utf16le'),
    /^q.jsonl: expected UTF-8 text, got UTF-16; convert it with iconv/,
  ),
  written(
    'in UTF-16 without its mark',
    Buffer.from(JSON.stringify(counting), 'utf16le'),
    /^q.jsonl: expected UTF-8 text, got zero bytes/,
  ),
  written('in Latin-1', Buffer.from('{"id":"é"}', 'latin1'), /^q.jsonl:1: expected UTF-8 text, got other bytes/),
  written(
    'in a gzip archive',
    Buffer.from([0x1f, 0x8b, 8, 0]),
    /^q.jsonl: expected UTF-8 text, got a gzip archive; unpack it with gunzip/,
  ),
  written('in parquet under a wrong name', 'PAR1....', /^q.jsonl: .* got a parquet file; name it \*\.parquet/),
  written(
    'with a line cut off',
    `${lines([counting])}{"id": 0, "data`,
    /^q.jsonl:2: not a JSON object: .*; write one whole object per line/,
  ),
  {
    name: 'a list of pruned ids of other questions',
    read: () => withPrunedIds(questions(counting), new Set(['77']), 'pruned.txt'),
    message: 'pruned.txt: expected ids of the questions, one a line, got 77',
  },
  {
    name: 'questions for the Debiased subset that do not say what is pruned',
    read: () => debiased(questions(counting), 'q.jsonl'),
    message: /^q.jsonl: the Debiased subset needs .* the column "pruned", .* or --pruned-ids/,
  },
  predicted(
    'one missing',
    [{ id: 0, prediction: '1' }],
    'p.jsonl: expected a prediction for each of 2 questions, got none for 1: b',
  ),
  predicted(
    'one twice',
    ['0', '0', 'b'].map((id) => ({ id, prediction: '' })),
    'p.jsonl: expected one prediction for each id, got two for 0 (p.jsonl:1 and p.jsonl:2)',
  ),
  predicted(
    'null for one',
    [{ id: 0, prediction: null }],
    'p.jsonl:1: prediction: expected a text, got null; write "" where there is no answer',
  ),
  predicted(
    'another column',
    [{ id: 0, answer: '1' }],
    'p.jsonl:1: expected { "id", "prediction" }, got id, answer; the answer',
  ),
  predicted('no id', [{ prediction: '1' }], 'p.jsonl:1: id: expected a text or a number, got nothing'),
  predicted('texts for rows', ['"1"'], 'p.jsonl:1: expected { "id", "prediction" }, got "1"'),
  toAnswer('an id twice', { id: 0, scene_name: 's', question: 'a' }, 'a.jsonl:2: id: there are two questions 0'),
  toAnswer('no scene', { id: 1, question: 'a' }, 'a.jsonl:2: scene_name: expected a string, got nothing'),
  toAnswer(
    'options in numbers',
    { id: 1, scene_name: 's', question: 'a', options: ['A. 1', 2] },
    'a.jsonl:2: options[1]: expected a string, got 2',
  ),
]
