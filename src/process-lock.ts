/** A file that says which process is at work in a folder. Where that process is gone, the lock counts for nothing. */
import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { errorCode } from './errors.js'

/** Takes the lock unless a running process has it, this one included; says whether it did. Throws what the system says. */
export function acquireLock(file: string): boolean {
  const own = `${file}.${randomUUID().slice(0, 8)}`
  writeFileSync(own, `${process.pid} ${startOf(process.pid)}\n`)
  try {
    // It appears with its owner in it: linked, not written in place.
    return link(own, file) || (removeDead(file, `${own}.dead`) && link(own, file))
  } finally {
    rmSync(own, { force: true })
  }
}

export function releaseLock(file: string): void {
  rmSync(file, { force: true })
}

/** The running process that holds the lock, or undefined. */
export function ownerOf(file: string): number | undefined {
  const [pid = 0, start] = read(file).trim().split(' ', 2).map(Number)
  return pid > 0 && startOf(pid) === start ? pid : undefined
}

/** Whether the lock was a dead process's and is gone. Another may have taken it since it was looked at: it gets it back. */
function removeDead(file: string, aside: string): boolean {
  if (ownerOf(file) !== undefined) return false
  try {
    renameSync(file, aside)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return true
    throw error
  }
  const isDead = ownerOf(aside) === undefined
  if (!isDead) link(aside, file)
  rmSync(aside, { force: true })
  return isDead
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** When a process began, in ticks since the machine did: a number that was given again belongs to another. NaN: no such one. */
function startOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`)
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
}
