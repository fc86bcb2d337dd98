/** The addon that the trial uses, and what Linux says about this process. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/** The same module instance that `vsgrpo` loads. */
export function loadAddon() {
  process.env.OMP_WAIT_POLICY ??= 'PASSIVE'
  const file = process.env.VSGRPO_ADDON ? resolve(process.env.VSGRPO_ADDON) : require('node-gyp-build').path(root)
  return require(file)
}

/**
 * A field of /proc/self/status in bytes: VmHWM (largest resident size), VmRSS, RssFile.
 * @param {string} field
 */
export function statusBytes(field) {
  const [, kilobytes] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return 1024 * Number(kilobytes)
}
