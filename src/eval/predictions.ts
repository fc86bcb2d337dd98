/** Predictions that some model wrote: rows { "id", "prediction" }, one for each question and no question twice. */
import { dataError } from '../errors.js'
import { isObject, shown } from '../json.js'
import { listed, readId } from './vsi-bench/questions.js'

interface Row {
  readonly value: unknown
  readonly where: string
}

export interface Predictions {
  /** In the order of the questions. */
  readonly texts: readonly string[]
  /** Ids that no question has: rows of a larger set. */
  readonly unused: readonly string[]
}

/**
 * The prediction of each question. Throws an InputError that names the ids that are missing, or come twice, or the row
 * that is no prediction.
 */
export function readPredictions(rows: Iterable<Row>, ids: readonly (string | number)[], name: string): Predictions {
  const found = new Map<string, string>()
  const lines = new Map<string, string>()
  const twice: string[] = []
  for (const { value, where } of rows) {
    const { id, text } = readPrediction(value, where)
    if (found.has(id)) twice.push(`${id} (${lines.get(id)} and ${where})`)
    found.set(id, text)
    lines.set(id, where)
  }
  if (twice.length > 0) throw dataError(`${name}: expected one prediction for each id, got two for ${listed(twice)}`)
  const keys = ids.map(String)
  const missing = keys.filter((id) => !found.has(id))
  if (missing.length > 0) {
    throw dataError(
      `${name}: expected a prediction for each of ${keys.length} questions, got none for ${missing.length}: ${listed(missing)}`,
    )
  }
  const known = new Set(keys)
  return { texts: keys.map((id) => found.get(id) ?? ''), unused: [...found.keys()].filter((id) => !known.has(id)) }
}

function readPrediction(value: unknown, where: string): { id: string; text: string } {
  if (!isObject(value)) throw dataError(`${where}: expected { "id", "prediction" }, got ${shown(value)}`)
  const { id, prediction } = value
  // A number is what Python's str() makes of it; nothing is hidden by that.
  if (typeof prediction === 'string' || typeof prediction === 'number') {
    return { id: String(readId(id, where)), text: String(prediction) }
  }
  if (prediction === undefined) {
    const columns = Object.keys(value).slice(0, 8).join(', ')
    throw dataError(
      `${where}: expected { "id", "prediction" }, got ${columns || 'nothing'}; the answer goes under "prediction"`,
    )
  }
  throw dataError(`${where}: prediction: expected a text, got ${shown(prediction)}; write "" where there is no answer`)
}
