/** Benchmarks: scores as published, what answers score that see nothing, and a model's answers to score. */
export { AnswerFile, answerRow, fingerprint, type Settings } from './answers.js'
export { type Asked, type AskOptions, askAll } from './ask.js'
export * from './blind.js'
export { type Predictions, readPredictions } from './predictions.js'
export { sceneOf } from './scenes.js'
export { findVideos, type Video, type Videos } from './videos.js'
export { type EvaluateOptions, type Evaluation, evaluatePredictions, isBenchmark } from './vsi-bench/evaluate.js'
export {
  answerTokens,
  isTagged,
  letterOfName,
  type PromptName,
  predictionOf,
  promptNames,
  questionMessages,
  questionText,
} from './vsi-bench/prompts.js'
export { published } from './vsi-bench/published.js'
export { debiased, type Question, readQuestions, withPrunedIds } from './vsi-bench/questions.js'
export { aggregate, firstWord, isReadable, type Scores, scorePrediction } from './vsi-bench/score.js'
export { type Format, formatReport, formats, type Report } from './vsi-bench/table.js'
export { type QuestionType, questionTypes, type TaskName, taskLabels, taskNames } from './vsi-bench/tasks.js'
