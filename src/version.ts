/** The version of the package, as its package.json says. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from './setup/paths.js'

export const version = readVersion()

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'))
  return typeof manifest === 'object' && manifest && 'version' in manifest ? String(manifest.version) : 'unknown'
}
