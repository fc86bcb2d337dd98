/** What a question ends with, by the style of its answer: VSI-Bench's lines, and the paper's for answers without options. */
export const instructions = {
  open: 'Please answer the question using a single word or phrase.',
  letter: "Answer with the option's letter from the given choices directly.",
  number: "Answer with the option's number from the given choices directly.",
  word: 'Please provide the short answer with one or two words or a number.',
} as const
