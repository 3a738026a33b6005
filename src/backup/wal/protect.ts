import { setTimeout as sleep } from 'node:timers/promises'
import { aborted, type Logger } from '../../foundation/index.ts'
import { identify, runBackup } from '../base/run.ts'
import type { BackupSource } from '../base/take.ts'
import { readCatalog } from '../catalog/catalog.ts'
import { restorableRanges } from '../catalog/window.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { coverageOf } from './pieces.ts'
import { type StreamEvent, type StreamOptions, streamWal } from './stream.ts'

/** Pause before a failed full backup is retried, in milliseconds. */
const RETRY_MS = 60_000

/**
 * Streams WAL until the signal is aborted, and takes a full backup whenever the stream needs one: at the first
 * start, after a gap, on a new timeline.
 */
export async function protectCluster(
  backupStore: BackupStore,
  source: BackupSource,
  options: StreamOptions & { readonly log: Pick<Logger, 'info' | 'warn' | 'error'> },
): Promise<void> {
  const { signal, log, onEvent = () => undefined } = options
  const ended = new AbortController()
  const alive = AbortSignal.any([signal, ended.signal])
  const flushed = Promise.withResolvers<void>()
  const tell = (event: StreamEvent) => {
    if (event.kind === 'flushed') flushed.resolve()
    if (event.kind === 'gap') {
      const { timeline, from, to } = event
      log.error(
        { timeline, from: from.toString(16), to: to.toString(16) },
        'WAL is missing from the store: moments in between cannot be restored; a full backup follows',
      )
    }
    if (event.kind === 'unreadable') {
      const { timeline, lsn, reason } = event
      log.error({ timeline, lsn: lsn.toString(16), reason }, 'the server sent WAL that cannot be read')
    }
    onEvent(event)
  }
  const ensuring = Promise.race([flushed.promise, aborted(alive)]).then(() =>
    untilBased(backupStore, source, alive, log, tell),
  )
  try {
    await streamWal(backupStore, source, { ...options, onEvent: tell })
  } finally {
    ended.abort()
    await ensuring
  }
}

/** WAL without a base backup cannot be restored: retries until the backup succeeds. */
async function untilBased(
  backupStore: BackupStore,
  source: BackupSource,
  signal: AbortSignal,
  log: Pick<Logger, 'info' | 'error'>,
  tell: (event: StreamEvent) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      return await ensureBase(backupStore, source, signal, log, tell)
    } catch (error) {
      if (signal.aborted) return
      log.error({ err: error }, 'the full backup failed; WAL alone cannot be restored')
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** Takes a full backup unless one connects to the currently streamed WAL. */
async function ensureBase(
  backupStore: BackupStore,
  source: BackupSource,
  signal: AbortSignal,
  log: Pick<Logger, 'info'>,
  tell: (event: StreamEvent) => void,
): Promise<void> {
  const { timeline } = await identify(source.url, signal)
  const catalog = await readCatalog(backupStore, signal)
  const streamed = coverageOf(catalog.pieces).findLast((coverage) => coverage.timeline === timeline)
  const usable = restorableRanges(catalog).some(
    (range) =>
      range.timeline === timeline &&
      range.backup.timeline === timeline &&
      streamed !== undefined &&
      range.toLsn >= streamed.end,
  )
  if (usable) return
  const { id, bytes, damaged } = await runBackup(backupStore, source, 'full', { signal })
  if (damaged !== undefined) tell({ kind: 'damaged', backup: id, pages: damaged })
  log.info({ backup: id, bytes }, 'took a full backup, because none connected to the streamed WAL')
}
