/** Where the peer's Python is. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheDir } from '../rig/inputs.mjs'

export const requirements = join(dirname(fileURLToPath(import.meta.url)), 'requirements.txt')

/** The environment's folder, named by what is installed in it. */
export function peerFolder() {
  const id = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  return join(cacheDir(), `peers-${id}`)
}

/** The Python that VSGRPO_PEER_PYTHON names, else the one that the set-up made; sets it up where there is none. */
export async function peerPython() {
  const named = process.env.VSGRPO_PEER_PYTHON
  if (named) {
    if (existsSync(named)) return named
    throw new Error(`VSGRPO_PEER_PYTHON names ${named}, which does not exist; correct it, or unset it`)
  }
  const own = join(peerFolder(), 'bin', 'python')
  if (!existsSync(own)) {
    const { setUpPeers } = await import('./setup.mjs')
    setUpPeers()
  }
  return own
}
