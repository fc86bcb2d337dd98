/** `vsgrpo/data`: datasets and what makes them. */
export { type AdaptContext, adaptRow, type RowForm, rowForms } from './adapters.js'
export { type Dataset, fromArray } from './dataset.js'
export { type HubFile, type HubOptions, hubFile, parseHubPath } from './hub.js'
export { type JsonlOptions, jsonl } from './jsonl.js'
export { type Hardness, type PairOptions, preferencePairs } from './pairs.js'
export { type ParquetOptions, parquetRows } from './parquet.js'
export * from './questions/index.js'
export * from './rooms/index.js'
export { parseRow, type RowContext } from './row.js'
export * from './scenes/index.js'
export { type ShardOptions, shard } from './shard.js'
export {
  type CheckedDataset,
  indexedJsonl,
  type RowOptions,
  type Skipped,
  type StreamOptions,
  streamJsonl,
} from './stream.js'
export { dataRows, type OpenOptions, openDataset } from './stream-files.js'
