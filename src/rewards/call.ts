/**
 * Calls of rewards: each has an AbortSignal of its own, may take so long and no longer, and what it gives is checked.
 * What goes wrong is a value here, an error that names reward, example and cause; `combine.ts` decides what it means.
 */
import { messageOf, VsgrpoError } from '../errors.js'
import { shortened } from '../json.js'
import type { BatchReward, RewardFunc, RewardInput } from './reward.js'

export type Outcome = number | null | VsgrpoError

export interface CallContext {
  /** The reward's. */
  readonly name: string
  /** Of the whole batch. */
  readonly pending: PendingCalls
  /** Milliseconds. Default: no limit. */
  readonly timeout?: number
}

/** The calls of a batch that are under way, so that they can be given up together. */
export class PendingCalls {
  private readonly calls = new Set<Call>()
  private stopped?: { readonly reason: unknown }

  get isStopped(): boolean {
    return this.stopped !== undefined
  }

  /** Makes every call that waits throw the reason, and every later one too. */
  stop(reason: unknown): void {
    this.stopped ??= { reason }
    for (const call of this.calls) call.abort(reason)
  }

  throwIfStopped(): void {
    if (this.stopped) throw this.stopped.reason
  }

  add(call: Call): void {
    this.calls.add(call)
  }

  delete(call: Call): void {
    this.calls.delete(call)
  }
}

/** One call. Its signal is made when the reward asks for it: most do not, and it would cost more than their own work. */
class Call {
  private controller?: AbortController
  private aborted?: { readonly reason: unknown }
  private reject?: (reason: unknown) => void

  get isAborted(): boolean {
    return this.aborted !== undefined
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    if (this.aborted) this.controller.abort(this.aborted.reason)
    return this.controller.signal
  }

  abort(reason: unknown): void {
    this.aborted ??= { reason }
    this.controller?.abort(reason)
    this.reject?.(reason)
  }

  /** What comes of a promise, or the reason of `abort`, also for a reward that does not listen to its signal. */
  wait(given: PromiseLike<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.reject = reject
      // Not resolve(given): it would tie this promise to that one, and `abort` could not reject it any more.
      given.then(resolve, reject)
    })
  }
}

type Fail = (what: string, cause?: unknown) => VsgrpoError

/** `index`: the completion's place in the batch, for examples that have no id. */
export async function callReward(
  reward: RewardFunc,
  input: RewardInput,
  index: number,
  context: CallContext,
): Promise<Outcome> {
  const fail = failWith(context, whereIs(input, index))
  const given = await attempt((call) => reward(lazily(input, call)), context, fail)
  return given instanceof VsgrpoError ? given : checkValue(given, fail)
}

/** [B] outcomes; one failure for all of them when the call itself fails or gives another number of values. */
export async function callBatch(
  batch: BatchReward,
  inputs: readonly RewardInput[],
  context: CallContext,
): Promise<Outcome[]> {
  const fail = failWith(context, whereAre(inputs))
  const given = await attempt(({ signal }) => batch(withSignal(inputs, signal), signal), context, fail)
  if (given instanceof VsgrpoError) return inputs.map(() => given)
  if (!Array.isArray(given) || given.length !== inputs.length) {
    const got = Array.isArray(given) ? given.length : describe(given)
    const failure = fail(`expected an array of ${inputs.length} values, one for each completion, got ${got}`)
    return inputs.map(() => failure)
  }
  return inputs.map((input, i) => checkValue(given[i], failWith(context, whereIs(input, i))))
}

function lazily(input: RewardInput, call: Call): RewardInput {
  return {
    ...input,
    get signal() {
      return call.signal
    },
  }
}

function withSignal(inputs: readonly RewardInput[], signal: AbortSignal): RewardInput[] {
  return inputs.map((input) => ({ ...input, signal }))
}

async function attempt(start: (call: Call) => unknown, context: CallContext, fail: Fail): Promise<unknown> {
  const { pending, timeout } = context
  const call = new Call()
  try {
    pending.throwIfStopped()
    const given = start(call)
    return isPromise(given) ? await waitFor(given, call, context) : given
  } catch (error) {
    if (pending.isStopped) throw error
    if (call.isAborted) return fail(`gave no result within the timeout of ${timeout} ms`, error)
    return fail(`threw: ${messageOf(error)}`, error)
  }
}

async function waitFor(given: PromiseLike<unknown>, call: Call, { pending, timeout }: CallContext): Promise<unknown> {
  const expire = () => call.abort(new DOMException(`no result within ${timeout} ms`, 'TimeoutError'))
  const timer = timeout === undefined ? undefined : setTimeout(expire, timeout)
  pending.add(call)
  try {
    return await call.wait(given)
  } finally {
    clearTimeout(timer)
    pending.delete(call)
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

function checkValue(value: unknown, fail: Fail): Outcome {
  if (value === null || (typeof value === 'number' && Number.isFinite(value))) return value
  return fail(`gave ${describe(value)}; expected a finite number, or null where it does not apply`)
}

function failWith({ name }: CallContext, where: string): Fail {
  return (what, cause) =>
    new VsgrpoError(`[reward ${name}] ${where}: ${what}`, {
      code: 'ERR_VSGRPO_REWARD',
      hint: "Fix the reward (VSGRPO_DEBUG=1 prints where it failed), or have its failures counted: onRewardError 'null'.",
      ...(cause ? { cause } : {}),
    })
}

function whereIs({ example, text }: RewardInput, index: number): string {
  return `example ${idOf(example, index)}, completion ${JSON.stringify(shortened(text, 80))}`
}

function whereAre(inputs: readonly RewardInput[]): string {
  const ids = [...new Set(inputs.map(({ example }, i) => String(idOf(example, i))))]
  const shown = ids.length > 3 ? `${ids.slice(0, 3).join(', ')}, …` : ids.join(', ')
  return `batch of ${inputs.length} completions, example ${shown}`
}

function idOf({ id }: RewardInput['example'], index: number): string | number {
  return id ?? `(no id; completion ${index} of the batch)`
}

/** Never throws, whatever a reward gives. */
function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `an object (${Object.prototype.toString.call(value)})`
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  return typeof value === 'bigint' ? `${value}n` : String(value)
}
