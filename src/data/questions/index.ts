/** Questions about scene records: made, and answered. */
export { answerQuestion, type GivenQuestion } from './answer.js'
export { buildQuestions } from './build.js'
export { type AnswerStyle, answerStyles, type BuildOptions, type Filters, type PresetName, presets } from './options.js'
export { type Question, type QuestionKind, questionKinds } from './question.js'
export { type Answer, answerAll, type QuestionInFile, readQuestions } from './read.js'
export type { QuestionRow } from './row.js'
export { type TrainingRow, trainingRow } from './training.js'
export { type Wording, wordings } from './wording.js'
