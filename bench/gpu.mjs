/**
 * A row of the GPU's benchmarks, ours and the peers on the same device: bench/gpu/README.md says which there are. With
 * `--tiny --device cpu` the same scripts run on a tiny model, which says that they work and nothing else.
 */
import { rows } from './gpu/rows.mjs'
import { build, readOptions, report } from './rig/record.mjs'

const own = {
  device: { type: 'string', default: 'cuda' },
  peer: { type: 'string', default: 'trl' },
  tiny: { type: 'boolean', default: false },
  trials: { type: 'string', default: '2' },
  threads: { type: 'string', default: '8' },
}

/** @param {readonly string[]} args */
export async function main([name = '', ...args]) {
  const row = Object.hasOwn(rows, name) ? rows[name] : undefined
  if (!row) throw new Error(`[gpu] expected one of ${Object.keys(rows).join(', ')}, got '${name}'`)
  const options = readOptions(args, own)
  if (!['cpu', 'cuda'].includes(options.device))
    throw new Error(`[--device] expected cpu or cuda, got '${options.device}'`)
  build()
  report(`gpu-${name}`, { benchmark: `gpu/${name}`, device: options.device, ...(await row(options)) }, options)
}
