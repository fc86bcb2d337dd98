/** The policy that the trials drive: the library's own, but no token ends a completion early. */
import { loadModel } from 'vsgrpo'

/** @param {{ checkpoint: string } & import('vsgrpo').LoadModelOptions} job */
export async function loadPolicy({ checkpoint, dtype = 'bfloat16', device, lora, freezeVision, trainable }) {
  const policy = await loadModel(checkpoint, { dtype, device, lora, freezeVision, trainable })
  const { processor } = policy
  return override(policy, {
    processor: {
      prompt: (...args) => processor.prompt(...args),
      encode: (...args) => processor.encode(...args),
      decode: (...args) => processor.decode(...args),
      maxPositions: processor.maxPositions,
      eosIds: new Int32Array(0),
    },
  })
}

/**
 * The same policy with some members replaced; the given one stays as it is.
 * @param {import('vsgrpo').Policy} policy
 * @param {object} members
 * @returns {import('vsgrpo').Policy}
 */
export function override(policy, members) {
  return Object.assign(Object.create(policy), members)
}
