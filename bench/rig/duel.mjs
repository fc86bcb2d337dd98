/** Both sides of a benchmark: the peer with gradient checkpointing off and on, and ours, which may have a lean way too. */
import { peerPython } from '../peers/python.mjs'
import { figures, identity } from './record.mjs'
import { median } from './statistics.mjs'
import { runTrials } from './trials.mjs'
import { oursWorker, peerWorker } from './workers.mjs'

/**
 * Our trials, also with settings that save memory, and after each round of them the peer's in the ways that are to count; a way
 * that fails, for want of memory, say, is left out.
 * @param {{ ours: object, lean?: object, peer?: Readonly<Record<string, object>> }} jobs of the peer by the name of the way
 * @param {{ trials: number, threads: number, fresh?: boolean }} options
 * @returns {Promise<{ ours: Figures, lean?: Figures, peer?: Record<string, Figures> }>}
 * @typedef {ReturnType<typeof figures>} Figures
 */
export async function duel({ ours, lean, peer = {} }, { trials, threads, fresh }) {
  const ways = Object.entries(peer)
  const runPeer = ways.length > 0 ? peerWorker(await peerPython(), threads) : undefined
  const sides = ways.flatMap(([name, job]) => (runPeer ? [{ name, job, run: runPeer, mayFail: ways.length > 1 }] : []))
  const run = oursWorker(threads)
  const own = [{ name: 'ours', job: ours, run }, ...(lean ? [{ name: 'lean', job: lean, run }] : [])]
  const done = await runTrials([...own, ...sides], { trials, fresh, identity: identity(threads) })
  const peers = sides.flatMap(({ name }) => (done[name] ? [[name, figures(done[name])]] : []))
  if (runPeer && peers.length === 0) {
    process.stderr.write('no way of the peer ended well: the result is without it\n')
    process.exitCode = 1
  }
  return {
    ours: figures(done.ours ?? []),
    ...(done.lean ? { lean: figures(done.lean) } : {}),
    ...(peers.length > 0 ? { peer: Object.fromEntries(peers) } : {}),
  }
}

/**
 * Ours against ourselves with nothing shared, by `job.shared`.
 * @param {object} job
 * @param {{ trials: number, threads: number, fresh?: boolean }} options
 */
export async function duelOfSharing(job, { trials, threads, fresh }) {
  const run = oursWorker(threads)
  const sides = [
    { name: 'nothing shared', job: { ...job, shared: false }, run },
    { name: 'ours', job, run },
  ]
  const done = await runTrials(sides, { trials, fresh, identity: identity(threads) })
  const [alone, ours] = sides.map(({ name }) => figures(done[name] ?? []))
  return {
    ours,
    peer: { name: 'vsgrpo, nothing shared', ...alone },
    ...ratioOf(alone, ours),
    memoryRatio: alone.peakBytes / ours.peakBytes,
  }
}

/**
 * The peer's jobs without and with gradient checkpointing; none where the peer is 'none'.
 * @param {string} peer
 * @param {readonly string[]} known
 * @param {object} job
 */
export function checkpointingWays(peer, known, job) {
  if (!isPeer(peer, known)) return undefined
  return { 'checkpointing off': { ...job, checkpointing: false }, 'checkpointing on': { ...job, checkpointing: true } }
}

/**
 * Whether there is a peer; throws for a name that is none of the known.
 * @param {string} peer
 * @param {readonly string[]} known
 */
export function isPeer(peer, known) {
  if (peer === 'none') return false
  if (known.includes(peer)) return true
  throw new Error(`[--peer] expected ${[...known, 'none'].join(' or ')}, got '${peer}'`)
}

/**
 * The way with the smallest of a figure, and its name.
 * @param {Readonly<Record<string, Figures>>} ways
 * @param {'seconds' | 'peakBytes'} figure
 */
export function best(ways, figure) {
  const [first, ...rest] = Object.entries(ways)
  if (!first) throw new RangeError('[best] expected at least one way, got none')
  const [way, figures] = rest.reduce((least, next) => (next[1][figure] < least[1][figure] ? next : least), first)
  return { way, ...figures }
}

/**
 * Peer over ours, and the smallest and largest ratio of the trials that ran side by side.
 * @param {Figures} peer
 * @param {Figures} ours
 */
export function ratioOf(peer, ours) {
  const pairs = peer.trials.map(({ seconds }, i) => median(seconds) / median(ours.trials[i]?.seconds ?? seconds))
  return { ratio: peer.seconds / ours.seconds, ratioRange: [Math.min(...pairs), Math.max(...pairs)] }
}
