/**
 * Keeps the WAL that waits for the object store from filling the server's disk, and reports gaps in the
 * stored WAL.
 */
import { giveUpCrosscheck, readCrosscheckSlot } from '../audit/index.ts'
import { type BackupSource, dropSlot, readSlot, type StreamEvent } from '../backup/index.ts'
import { given, type Log } from '../foundation/index.ts'
import {
  type Actor,
  type Database,
  formatLsn,
  readOn,
  readReplicationSlot,
  reasonToGiveUp,
} from '../postgres/index.ts'
import { recordEvent } from '../security/index.ts'
import { readBackupSettings } from './backup-settings.ts'
import { diskOf } from './disk.ts'
import { type Loop, runLoop } from './loops.ts'

/** Milliseconds between two checks of the WAL that is kept. */
const WATCH_INTERVAL_MS = 30_000

type Reader = Pick<Database, 'direct' | 'transaction'>

export interface WatchParts {
  /** Of the role `worker`. */
  readonly worker: Database
  readonly source: BackupSource
  /** Folder of an embedded server's data; undefined where the server runs elsewhere. */
  readonly data: string | undefined
  readonly log: Log
}

/**
 * Gives the kept WAL up when there is too much of it.
 *
 * @param reader reads the slot and the settings; default connections of their own
 * @returns why, if so
 */
export async function watchKeptWal(
  { worker, source, data, log }: WatchParts,
  actor: Actor,
  signal?: AbortSignal,
  reader: Reader = { direct: source.database.direct, transaction: worker.transaction },
): Promise<string | undefined> {
  const slot = await readSlot(reader, given({ signal }))
  if (slot === null || slot.kind === 'logical') return undefined
  const { walLimitBytes } = await readBackupSettings(reader, actor)
  const freeBytes = (await diskOf(data))?.freeBytes ?? null
  const reason = reasonToGiveUp(slot, { limitBytes: walLimitBytes, freeBytes })
  if (reason === undefined) return undefined
  await dropSlot(source.database, { force: true })
  log.error({ keptBytes: slot.keptBytes, reason }, 'the WAL that waits for the object store was given up')
  const details = { keptBytes: slot.keptBytes, limitBytes: walLimitBytes }
  await alarm(worker, actor, 'wal_given_up', details, reason)
  return reason
}

/** The same for the WAL that waits to be compared with the trail: what was not compared is then a gap. */
export async function watchCrosscheckWal(
  { worker, source, data, log }: WatchParts,
  actor: Actor,
  signal: AbortSignal,
  reader: Reader,
): Promise<string | undefined> {
  const name = (await readCrosscheckSlot(reader))?.name
  const slot = name === undefined ? null : await readReplicationSlot(reader, name, { signal })
  if (slot === null) return undefined
  const { walLimitBytes } = await readBackupSettings(reader, actor)
  const freeBytes = (await diskOf(data))?.freeBytes ?? null
  const reason = reasonToGiveUp(slot, { limitBytes: walLimitBytes, freeBytes }, 'the cross-check')
  if (reason === undefined) return undefined
  await giveUpCrosscheck(source.database, worker, actor, reason)
  log.error({ keptBytes: slot.keptBytes, reason }, 'the WAL that waits for the cross-check was given up')
  return reason
}

/** One process at a time, also while the stream cannot reach the store. */
export function walWatchLoop(parts: WatchParts & { readonly signal: AbortSignal }): Loop {
  const { worker, signal, log } = parts
  return runLoop({
    name: 'backup.watch',
    worker,
    intervalMs: WATCH_INTERVAL_MS,
    signal,
    log,
    work: async (context) => {
      const reader = readOn(context.session)
      await watchKeptWal(parts, context.actor, context.signal, reader)
      await watchCrosscheckWal(parts, context.actor, context.signal, reader)
    },
  })
}

/** Raises alarms for what the stream reports: moments that cannot be restored, and damaged pages. */
export async function recordStreamEvent(worker: Database, actor: Actor, event: StreamEvent): Promise<void> {
  if (event.kind === 'damaged') {
    await recordDamage(worker, actor, { id: event.backup, damaged: event.pages })
  } else if (event.kind === 'gap') {
    const { timeline, from, to } = event
    await alarm(worker, actor, 'wal_gap', { timeline, from: formatLsn(from), to: formatLsn(to) })
  } else if (event.kind === 'unreadable') {
    const { timeline, lsn, reason } = event
    await alarm(worker, actor, 'wal_unreadable', { timeline, at: formatLsn(lsn), reason })
  }
}

/** Raises the alarm for a backup with pages that are damaged on the server. */
export async function recordDamage(
  worker: Database,
  actor: Actor,
  { id, damaged }: { readonly id: string; readonly damaged?: readonly string[] | undefined },
): Promise<void> {
  if (damaged === undefined) return
  await alarm(worker, actor, 'backup_page_damaged', { backup: id, pages: damaged.slice(0, PAGES_NAMED) })
}

/** Pages that an event names; the manifest has all of them. */
const PAGES_NAMED = 100

async function alarm(
  worker: Database,
  actor: Actor,
  type: 'wal_given_up' | 'wal_gap' | 'wal_unreadable' | 'backup_page_damaged',
  details: Readonly<Record<string, unknown>>,
  description?: string,
): Promise<void> {
  await worker.transaction(actor, (session) =>
    recordEvent(session, {
      event_type: type,
      resource_type: 'backup',
      action_performed: 'stream',
      event_details: details,
      ...given({ description }),
    }),
  )
}
