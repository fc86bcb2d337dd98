/**
 * `node bench/peers/setup.mjs`: a virtual environment with the pinned peers, in the cache. Needs python3 with venv, the
 * network, and 2 to 7 GB: torch's CPU build is taken where pip's sources have one (PIP_EXTRA_INDEX_URL can name PyTorch's
 * index of CPU builds), else the build for GPUs, which computes the same on a CPU.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { peerFolder, requirements } from './python.mjs'

/** Does nothing when it is done already; an interrupted set-up leaves nothing that looks whole. */
export function setUpPeers() {
  const folder = peerFolder()
  if (existsSync(join(folder, 'bin', 'python'))) return
  const parts = `${folder}.parts`
  rmSync(parts, { recursive: true, force: true })
  mkdirSync(dirname(folder), { recursive: true })
  run('python3', ['-m', 'venv', parts])
  const pip = [
    join(parts, 'bin', 'python'),
    ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--quiet'],
  ]
  const torch = pinned('torch')
  if (!succeeds(pip[0], [...pip[1], `${torch}+cpu`])) run(pip[0], [...pip[1], torch])
  run(pip[0], [...pip[1], '--requirement', requirements])
  // Scripts in bin/ would keep the old place; only bin/python is used, which does not.
  renameSync(parts, folder)
}

function pinned(name) {
  const line = readFileSync(requirements, 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}==`))
  if (line) return line.trim()
  throw new Error(`${requirements}: expected a line '${name}==…'`)
}

function succeeds(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

/** Output goes to standard error: standard output is for results. */
function run(command, args) {
  process.stderr.write(`${command} ${args.join(' ')}\n`)
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2] })
  if (error) throw new Error(`${command} could not be started: ${error.message}`)
  if (status !== 0)
    throw new Error(
      `[peers] ${command} ${args.join(' ')} failed; set VSGRPO_PEER_PYTHON to a Python that has ${requirements}`,
    )
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) setUpPeers()
