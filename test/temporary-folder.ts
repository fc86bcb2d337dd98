/** One temporary folder for a whole run of the suites, so that no test leaves anything in the system's. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Workers start after this, and programs that tests start inherit from them: all make their folders in this one. */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'vsgrpo-tests-'))
  process.env.TMPDIR = folder
  return () => rmSync(folder, { recursive: true, force: true })
}
