/** How much memory this process may still take: what the machine has left, or its container, whichever is less. */
import { existsSync, readFileSync } from 'node:fs'
import { freemem } from 'node:os'
import { dirname, join } from 'node:path'

/** Where Linux tells; tests give another root. */
interface Places {
  readonly cgroups?: string
  readonly ownCgroups?: string
  /** Bytes that the machine has left (MemAvailable on Linux). */
  readonly machine?: number
  /** Bytes that this process holds already: they are part of what it may have. */
  readonly own?: number
}

/** Bytes that this process may have in all. */
export function availableBytes(places: Places = {}): number {
  const { machine = freemem(), own = process.memoryUsage.rss() } = places
  return Math.min(machine, containerBytes(places)) + own
}

/** What the container's limits leave, or Infinity without one: the least over a control group and all above it. */
export function containerBytes({ cgroups = '/sys/fs/cgroup', ownCgroups = '/proc/self/cgroup' }: Places): number {
  const left = readText(ownCgroups)
    .split('\n')
    .flatMap((line) => {
      const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
      if (controllers === '') return levels(path).map((level) => leftIn(join(cgroups, level), version2))
      if (!controllers.split(',').includes('memory')) return []
      return levels(path).map((level) => leftIn(join(cgroups, 'memory', level), version1))
    })
  return Math.min(Number.POSITIVE_INFINITY, ...left)
}

/** A path and all above it; inside a container the upper ones alone may be there. */
function levels(path: string): string[] {
  return path === '/' || path === '' || path === '.' ? ['/'] : [path, ...levels(dirname(path))]
}

/** File names: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html. */
const version2 = { limit: 'memory.max', used: 'memory.current', cache: 'inactive_file' } as const
const version1 = {
  limit: 'memory.limit_in_bytes',
  used: 'memory.usage_in_bytes',
  cache: 'total_inactive_file',
} as const

/** Limit less use; file pages that nobody has used lately make room by themselves. "max" and no file are no limit. */
function leftIn(folder: string, names: typeof version1 | typeof version2): number {
  const limit = Number.parseInt(readText(join(folder, names.limit)), 10)
  if (!Number.isFinite(limit)) return Number.POSITIVE_INFINITY
  const used = Number.parseInt(readText(join(folder, names.used)), 10) || 0
  const [, cache = '0'] = new RegExp(`^${names.cache} (\\d+)`, 'm').exec(readText(join(folder, 'memory.stat'))) ?? []
  return Math.max(0, limit - used + Number(cache))
}

function readText(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
