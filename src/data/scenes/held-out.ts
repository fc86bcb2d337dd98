/** Scenes that nobody may train on: those that VSI-Bench and ScanNet's benchmark test on. */
import { dataError } from '../../errors.js'
import type { Scenes } from './record.js'
import { scanNetValidationPlaces, vsiBenchArkitScenes, vsiBenchScanNetPlusPlus } from './test-scenes.js'

/** Why a scene is held out, or undefined when it is free to train on. */
export function heldOutFrom(name: string): string | undefined {
  const place = /^scene(\d{4})_\d\d/.exec(name)?.[1]
  if (place !== undefined && scanNetValidationPlaces.has(place)) return "ScanNet's validation split"
  if (vsiBenchArkitScenes.has(name) || vsiBenchScanNetPlusPlus.has(name)) return 'VSI-Bench'
  return undefined
}

/** Throws an InputError when questions about these scenes would leak a benchmark's answers; `cure` says how to go on. */
export function refuseHeldOut(scenes: Scenes, cure: string): void {
  const held = [...scenes.keys()].filter((name) => heldOutFrom(name) !== undefined)
  const [first = ''] = held
  if (held.length === 0) return
  throw dataError(
    `scene '${first}' is in ${heldOutFrom(first)}${held.length > 1 ? `, and ${held.length - 1} more are test scenes` : ''}: ` +
      `a model trained on them cannot be tested; leave them out, or ${cure}`,
  )
}
