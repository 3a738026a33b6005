import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError } from '../foundation/index.ts'
import { sendCancel } from './cancel.ts'
import type { Client } from './client.ts'
import { CANCEL_REPEAT_MS } from './limits.ts'
import type { ClientSession } from './session.ts'

export interface AbortWatch {
  /** Rejects when the signal fires; never resolves. */
  readonly aborted: Promise<never>
  stop(): void
  /** Resolves when no cancel request is in flight. */
  delivered(): Promise<void>
}

/** When the signal fires, the session refuses further statements and the running one is cancelled. */
export function watchAbort(
  client: Client,
  session: ClientSession,
  signal: AbortSignal | undefined,
): AbortWatch {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  aborted.catch(() => undefined)
  let cancelling: Promise<void> = Promise.resolve()
  const onAbort = () => {
    const error = abortError(signal)
    session.close(error)
    cancelling = interrupt(client, session)
    reject(error)
  }
  if (signal?.aborted === true) {
    onAbort()
  } else {
    signal?.addEventListener('abort', onAbort, { once: true })
  }
  return {
    aborted,
    stop: () => signal?.removeEventListener('abort', onAbort),
    delivered: () => cancelling,
  }
}

/** Repeats the request, since the server ignores one that overtakes its statement. */
async function interrupt(client: Client, session: ClientSession): Promise<void> {
  if (session.copying) {
    // A server that waits for its client to read or write ignores cancel requests.
    client.connection.stream.destroy()
    return
  }
  while (session.busy && !client.connection.stream.destroyed) {
    if (!(await sendCancel(client))) {
      // It may still arrive and cancel another caller's statement.
      client.connection.stream.destroy()
      return
    }
    await Promise.race([session.settled(), sleep(CANCEL_REPEAT_MS)])
  }
}

/** A `timeout` for `AbortSignal.timeout()`, `cancelled` for every other reason. */
export function abortError(signal: AbortSignal | undefined): AkashiError {
  const reason: unknown = signal?.reason
  return reason instanceof Error && reason.name === 'TimeoutError'
    ? new AkashiError('timeout', 'the transaction took too long', { cause: reason })
    : new AkashiError('cancelled', 'the caller cancelled the transaction', { cause: reason })
}
