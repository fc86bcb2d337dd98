/**
 * The run folder as files: `config.json`, `metrics.jsonl`, `completions.jsonl` and `run.json` (when, how long, on what).
 * A new run starts the files anew, and those of a run that was there before move to `earlier-N`; a resumed run first drops the
 * rows past the step that it goes on from, so that no step appears twice. Checkpoints in the folder are the trainer's.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { saving, writeAtomically } from '../atomic-file.js'
import { moveToEarlier } from '../atomic-folder.js'
import type { StartEvent, TrainEvent } from '../train/events.js'
import { LineFile, truncateAfter } from './lines.js'
import type { Reporter } from './reporter.js'

export interface RunFolderOptions {
  /** Names and versions of what the run used, for the report. Node's is added. */
  readonly versions?: Readonly<Record<string, string>>
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: () => number
}

/** `run.json`: facts about a run that its configuration does not hold. */
export interface RunFacts {
  /** ISO 8601. */
  readonly startedAt: string
  /** Seconds of work, over all sessions of a resumed run. */
  readonly seconds: number
  /** 1, and one more for each time the run was resumed. */
  readonly sessions: number
  readonly step: number
  readonly totalSteps: number
  /** `running` stays when the process was killed. */
  readonly state: 'running' | 'finished' | 'aborted' | 'stopped'
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memoryGiB: number
    readonly system: string
  }
  readonly versions: Readonly<Record<string, string>>
}

/** Writes everything a run says into `dir`; throws a `VsgrpoError` when the disk refuses. */
export function runFolder(dir: string, options: RunFolderOptions = {}): Reporter {
  const now = options.now ?? Date.now
  let files: { metrics: LineFile; completions: LineFile } | undefined
  let facts: RunFacts | undefined
  let openedAt = 0
  let epoch = 0

  const saveFacts = (change: Partial<RunFacts>): void => {
    if (!facts) return
    writeAtomically(
      join(dir, 'run.json'),
      json({ ...facts, ...change, seconds: facts.seconds + (now() - openedAt) / 1000 }),
    )
  }
  const start = (event: StartEvent): void => {
    if (event.step === 0) saving(dir, () => setAside(dir))
    files = openFiles(dir, event.step)
    openedAt = now()
    facts = firstFacts(dir, event, new Date(openedAt).toISOString(), options.versions)
    writeAtomically(join(dir, 'config.json'), json(event.config))
    saveFacts({})
  }

  return {
    onEvent(event: TrainEvent): void {
      if (event.type === 'start') start(event)
      if (!files) return
      if (event.type === 'step') {
        epoch = event.epoch
        files.metrics.append([{ step: event.step, epoch, ...event.metrics }])
      } else if (event.type === 'eval') files.metrics.append([{ step: event.step, epoch, ...event.metrics }])
      else if (event.type === 'completions') files.completions.append(event.rows)
      else if (event.type === 'checkpoint' || event.type === 'end') {
        files.metrics.flush()
        files.completions.flush()
        saveFacts({ step: event.step, state: event.type === 'end' ? event.reason : 'running' })
      }
    },
    close(): void {
      files?.metrics.close()
      files?.completions.close()
      files = undefined
    },
  }
}

const runFiles = ['config.json', 'metrics.jsonl', 'completions.jsonl', 'run.json', 'report.html']

/** Nothing that an earlier run has said is lost, where it said anything. */
function setAside(dir: string): void {
  if (!(statSync(join(dir, 'metrics.jsonl'), { throwIfNoEntry: false })?.size ?? 0)) return
  moveToEarlier(
    dir,
    runFiles.filter((name) => existsSync(join(dir, name))),
  )
}

function openFiles(dir: string, step: number): { metrics: LineFile; completions: LineFile } {
  const names = { metrics: join(dir, 'metrics.jsonl'), completions: join(dir, 'completions.jsonl') }
  // A new run keeps no row at all: -1, because an evaluation before the first step has step 0.
  for (const file of Object.values(names)) truncateAfter(file, step === 0 ? -1 : step)
  return { metrics: new LineFile(names.metrics), completions: new LineFile(names.completions) }
}

function firstFacts(
  dir: string,
  event: StartEvent,
  startedAt: string,
  versions: RunFolderOptions['versions'],
): RunFacts {
  const before = event.step > 0 ? readFacts(dir) : undefined
  return {
    startedAt: before?.startedAt ?? startedAt,
    seconds: before?.seconds ?? 0,
    sessions: (before?.sessions ?? 0) + 1,
    step: event.step,
    totalSteps: event.totalSteps,
    state: 'running',
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${platform()} ${arch()} ${release()}`,
    },
    versions: { node: process.version, ...versions },
  }
}

/** The facts of a run folder, or undefined when it has none that can be read. */
export function readFacts(dir: string): RunFacts | undefined {
  const file = join(dir, 'run.json')
  if (!existsSync(file)) return undefined
  try {
    const facts: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return isFacts(facts) ? facts : undefined
  } catch {
    return undefined
  }
}

function isFacts(value: unknown): value is RunFacts {
  if (typeof value !== 'object' || value === null) return false
  const has = (type: string, ...names: string[]): boolean =>
    names.every((name) => typeof Reflect.get(value, name) === type)
  return (
    has('number', 'seconds', 'sessions', 'step', 'totalSteps') &&
    has('string', 'startedAt', 'state') &&
    has('object', 'machine', 'versions')
  )
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
