// What a process may take: the machine's rest or its container's, in both kinds of control groups.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { availableBytes, containerBytes } from '../../../src/plan/available.js'

/** Files below a folder of their own, and the folder. */
function files(content: Readonly<Record<string, string | number>>) {
  const dir = mkdtempSync(join(tmpdir(), 'cgroup-'))
  for (const [name, text] of Object.entries(content)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), `${text}\n`)
  }
  return { cgroups: join(dir, 'fs'), ownCgroups: join(dir, 'own') }
}

describe('availableBytes', () => {
  it('is what the machine has left, and what the process holds already', () => {
    const places = { ...files({ own: '0::/' }), machine: 8e9, own: 1e9 }
    expect(availableBytes(places)).toBe(9e9)
  })

  it('is what the container leaves where that is less; file pages that nobody uses make room', () => {
    const places = files({
      own: '0::/',
      'fs/memory.max': 4e9,
      'fs/memory.current': 3e9,
      'fs/memory.stat': 'anon 1\ninactive_file 500000000\nactive_file 7',
    })
    expect(availableBytes({ ...places, machine: 8e9, own: 1e9 })).toBe(2.5e9)
    expect(availableBytes({ ...places, machine: 1e9, own: 1e9 })).toBe(2e9)
  })

  it('knows this machine', () => {
    expect(availableBytes()).toBeGreaterThan(50e6)
  })
})

describe('containerBytes', () => {
  it('takes the least of a control group and all above it', () => {
    const places = files({
      own: '0::/pod/container',
      'fs/pod/container/memory.max': 'max',
      'fs/pod/container/memory.current': 1e9,
      'fs/pod/memory.max': 6e9,
      'fs/pod/memory.current': 4e9,
    })
    expect(containerBytes(places)).toBe(2e9)
  })

  it('reads the first version, where the memory controller has a tree of its own', () => {
    const places = files({
      own: '5:cpu,cpuacct:/other\n4:memory:/job',
      'fs/memory/job/memory.limit_in_bytes': 5e9,
      'fs/memory/job/memory.usage_in_bytes': 3e9,
      'fs/memory/job/memory.stat': 'cache 9\ntotal_inactive_file 1000000000',
      'fs/memory/memory.limit_in_bytes': 9_223_372_036_854_771_712n.toString(),
    })
    expect(containerBytes(places)).toBe(3e9)
  })

  it('has no end without limits, and nothing left where more is used than allowed', () => {
    expect(containerBytes(files({ own: '0::/' }))).toBe(Number.POSITIVE_INFINITY)
    expect(containerBytes({ cgroups: '/nowhere', ownCgroups: '/nowhere' })).toBe(Number.POSITIVE_INFINITY)
    expect(containerBytes(files({ own: '0::/', 'fs/memory.max': 1e9, 'fs/memory.current': 2e9 }))).toBe(0)
  })
})
