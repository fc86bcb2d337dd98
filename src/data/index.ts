/** `vsgrpo/data`: datasets and what makes them. */
export { type Dataset, fromArray } from './dataset.js'
export { type JsonlOptions, jsonl } from './jsonl.js'
export * from './rooms/index.js'
export { parseRow, type RowContext } from './row.js'
