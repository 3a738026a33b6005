/** The cross-check of the trail with the write-ahead log, in one process at a time. */
import { type CrosscheckOptions, type CrosscheckSource, crosscheck } from '../audit/index.ts'
import type { Log } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { Database } from '../postgres/index.ts'
import { type Loop, runLoop } from './loops.ts'

/** Milliseconds between the end of a run and the next: the server ended the stream, or nothing can be compared. */
const INTERVAL_MS = 5_000

export function crosscheckLoop(options: {
  readonly worker: Database
  readonly source: CrosscheckSource
  readonly keyring: Keyring
  readonly checkState: CrosscheckOptions['checkState']
  readonly signal: AbortSignal
  readonly log: Log
}): Loop {
  const { worker, source, keyring, checkState, signal, log } = options
  return runLoop({
    name: 'crosscheck',
    worker,
    intervalMs: INTERVAL_MS,
    signal,
    log,
    work: (context) =>
      crosscheck({ source, worker, keyring, actor: context.actor, signal: context.signal, log, checkState }),
  })
}
