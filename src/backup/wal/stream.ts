import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError } from '../../foundation/index.ts'
import { type Lsn, openReplication, type Replication, type WalStream } from '../../postgres/index.ts'
import type { BackupSource } from '../base/take.ts'
import type { BackupStore } from '../store/backup-store.ts'
import type { DataKey } from '../store/data-keys.ts'
import { gapName } from '../store/paths.ts'
import { putWithRetries } from '../store/transfer.ts'
import { parseHistory, putHistory } from './history.ts'
import { segmentStart } from './names.ts'
import { coverageOf, listPieces } from './pieces.ts'
import { foreignSlot, readSlot, SLOT } from './slot.ts'
import { WalUploader } from './uploader.ts'

/** Milliseconds without a commit after which a heartbeat is committed, which advances the latest restorable moment. */
const HEARTBEAT_MS = 10_000
const HEARTBEAT_CHECK_MS = 500
/** Milliseconds between status reports to the server; its wal_sender_timeout is a minute by default. */
const REPORT_MS = 5_000
/** Milliseconds to store received WAL after the stream is stopped. */
const DRAIN_MS = 5_000

export type StreamEvent =
  | { readonly kind: 'started'; readonly timeline: number; readonly start: Lsn }
  | { readonly kind: 'flushed'; readonly timeline: number; readonly lsn: Lsn }
  /** WAL from `from` to `to` is lost: moments in between cannot be restored; a new base backup is needed. */
  | { readonly kind: 'gap'; readonly timeline: number; readonly from: Lsn; readonly to: Lsn }
  /** WAL that the server sent does not read as WAL: what was committed there is not known. */
  | { readonly kind: 'unreadable'; readonly timeline: number; readonly lsn: Lsn; readonly reason: string }
  /** A full backup that the stream needed has pages that are damaged on the server. */
  | { readonly kind: 'damaged'; readonly backup: string; readonly pages: readonly string[] }
  | { readonly kind: 'timeline'; readonly timeline: number; readonly switchLsn: Lsn }

export interface StreamOptions {
  /** Stops the stream cleanly: received WAL is stored and acknowledged. */
  readonly signal: AbortSignal
  readonly onEvent?: (event: StreamEvent) => void
  readonly heartbeatMs?: number
  readonly slot?: string
}

/**
 * Streams WAL into the store until the signal is aborted. The server retains unacknowledged WAL, and WAL is only
 * acknowledged once its object is durable.
 * @throws unavailable if server or store become unavailable: run it again, it resumes where it stopped
 */
export async function streamWal(
  backupStore: BackupStore,
  source: BackupSource,
  options: StreamOptions,
): Promise<void> {
  const { signal, onEvent = () => undefined, slot = SLOT } = options
  const key = await backupStore.keys.create(signal)
  let next: Position | undefined
  while (!signal.aborted) {
    const cut = new AbortController()
    const replication = await openReplication(source.url, {
      applicationName: 'akashi backup stream',
      signal: cut.signal,
    })
    try {
      const { systemId } = await replication.identify()
      if (systemId !== backupStore.systemId) {
        throw new AkashiError('conflict', 'the server is now a different cluster', {
          hint: 'restart the stream',
        })
      }
      next = await streamTimeline(
        { backupStore, source, key, replication, cut, slot, onEvent },
        next ?? (await startingPoint(backupStore, source, replication, slot, onEvent)),
        options,
      )
    } finally {
      await replication.close()
    }
  }
}

interface Position {
  readonly timeline: number
  readonly start: Lsn
  readonly segmentBytes: number
}

interface Parts {
  readonly backupStore: BackupStore
  readonly source: BackupSource
  readonly key: DataKey
  readonly replication: Replication
  /** Closes the connection immediately. */
  readonly cut: AbortController
  readonly slot: string
  readonly onEvent: (event: StreamEvent) => void
}

/** The position of the slot; recreates one that the server gave up (lost WAL, idle for too long) and reports the gap. */
async function startingPoint(
  backupStore: BackupStore,
  source: BackupSource,
  replication: Replication,
  slot: string,
  onEvent: (event: StreamEvent) => void,
): Promise<Position> {
  const segmentBytes = bytesOf(await replication.show('wal_segment_size'))
  const known = await readSlot(source.database, { name: slot })
  if (known?.kind === 'logical') throw foreignSlot(slot)
  let state = await replication.readSlot(slot)
  // One that was invalidated for being idle still has its position, and can never be streamed from again.
  const invalid = known?.walStatus === 'lost'
  if (state !== null && (invalid || state.restartLsn === null)) {
    await replication.dropSlot(slot)
    state = null
  }
  if (state === null) {
    await replication.createSlot(slot)
    state = await replication.readSlot(slot)
  }
  const { timeline } = await replication.identify()
  const restart = state?.restartLsn
  if (restart === null || restart === undefined) {
    throw new AkashiError('unavailable', 'the replication slot retains no WAL', { hint: 'try again' })
  }
  const start = segmentStart(restart, segmentBytes)
  const position = { timeline: state?.restartTimeline ?? timeline, start, segmentBytes }
  for (const gap of await lostBefore(backupStore, replication, position)) {
    // Reported first, so that no gap is stored without being reported.
    await putWithRetries(
      backupStore.store,
      gapName(backupStore.systemId, gap),
      Buffer.from(`${new Date().toISOString()}\n`),
    )
    onEvent({ kind: 'gap', ...gap })
  }
  return position
}

interface WalRun {
  readonly timeline: number
  readonly from: Lsn
  readonly to: Lsn
}

/**
 * WAL written after the end of the stored WAL and before the position. After a failover to a new timeline, WAL of
 * the previous timeline that was not stored and WAL of the new one before its slot are lost.
 */
async function lostBefore(
  { store, systemId }: BackupStore,
  replication: Replication,
  { timeline, start, segmentBytes }: Position,
): Promise<WalRun[]> {
  const storedOf = async (line: number) =>
    coverageOf(await listPieces(store, systemId, { timeline: line })).at(-1)
  const stored = await storedOf(timeline)
  const gaps: WalRun[] = []
  if (stored !== undefined) gaps.push({ timeline, from: stored.end, to: start })
  else if (timeline > 1) {
    const { content } = await replication.timelineHistory(timeline)
    const parent = parseHistory(content).at(-1)
    const before = parent === undefined ? undefined : await storedOf(parent.timeline)
    if (parent === undefined || before === undefined) return []
    // The first segment of the new timeline includes what the old one wrote into it.
    const copied = segmentStart(parent.end, segmentBytes)
    const to = start <= copied ? copied : parent.end
    gaps.push({ timeline: parent.timeline, from: before.end, to })
    gaps.push({ timeline, from: parent.end, to: start })
  }
  return gaps.filter(({ from, to }) => from < to)
}

/** Returns where to continue when the timeline ended, or undefined if the stream was stopped. */
async function streamTimeline(
  parts: Parts,
  position: Position,
  options: StreamOptions,
): Promise<Position | undefined> {
  const { backupStore, key, replication, cut, slot, onEvent } = parts
  const { timeline, start, segmentBytes } = position
  if (timeline > 1) {
    const { content } = await replication.timelineHistory(timeline)
    await putHistory(backupStore, key, timeline, content, options.signal)
  }
  const existing = await listPieces(backupStore.store, backupStore.systemId, { timeline })
  const stream: WalStream = replication.walStream({ start, timeline, slot })
  const uploader = new WalUploader(backupStore, key, {
    timeline,
    start,
    segmentBytes,
    existing,
    onFlushed: (received, lsn) => {
      if (!cut.signal.aborted) stream.report(received, lsn)
      onEvent({ kind: 'flushed', timeline, lsn })
    },
    onLost: ({ at, reason }) => onEvent({ kind: 'unreadable', timeline, lsn: at, reason }),
  })
  onEvent({ kind: 'started', timeline, start })
  const stopping = new AbortController()
  const giveUp = new AbortController()
  const failed = { error: undefined as unknown }
  const uploading = uploader.run(giveUp.signal).catch((error: unknown) => {
    failed.error ??= error
    cut.abort()
  })
  const beating = heartbeat(parts.source, uploader, options, stopping.signal)
  const reporting = setInterval(() => {
    if (!cut.signal.aborted) stream.report(uploader.received, uploader.flushed)
  }, REPORT_MS)
  let stopped: NodeJS.Timeout | undefined
  const stop = () => {
    // Stores the rest first, then disconnects.
    uploader.end()
    stopped = setTimeout(() => cut.abort(), DRAIN_MS)
    void uploading.then(() => cut.abort())
  }
  options.signal.addEventListener('abort', stop, { once: true })
  if (options.signal.aborted) stop()
  try {
    for await (const message of stream) {
      if (message.kind === 'wal' && !options.signal.aborted) await uploader.write(message.data)
      if (message.kind === 'end') {
        uploader.end()
        await uploading
        onEvent({ kind: 'timeline', timeline: message.nextTimeline, switchLsn: message.switchLsn })
        return {
          timeline: message.nextTimeline,
          start: segmentStart(message.switchLsn, segmentBytes),
          segmentBytes,
        }
      }
    }
    throw new AkashiError('unavailable', 'the server ended the WAL stream', { hint: 'try again' })
  } catch (error) {
    if (failed.error !== undefined) throw failed.error
    if (options.signal.aborted) return undefined
    throw error
  } finally {
    options.signal.removeEventListener('abort', stop)
    clearTimeout(stopped)
    clearInterval(reporting)
    stopping.abort()
    // Received WAL is stored even if the server died.
    uploader.end()
    const late = setTimeout(() => giveUp.abort(), DRAIN_MS)
    await Promise.all([uploading, beating])
    clearTimeout(late)
  }
}

/** Commits while there are no other commits. A logical WAL message needs no table and no privilege. */
async function heartbeat(
  source: BackupSource,
  uploader: WalUploader,
  { heartbeatMs = HEARTBEAT_MS }: StreamOptions,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(Math.min(HEARTBEAT_CHECK_MS, heartbeatMs), undefined, { signal }).catch(() => undefined)
    if (signal.aborted || Date.now() - uploader.lastCommitAt < heartbeatMs) continue
    // The stream itself detects an unavailable server or a standby.
    await source.database
      .direct((session) => session.query(`select pg_logical_emit_message(true, 'akashi.heartbeat', '')`), {
        signal,
      })
      .catch(() => undefined)
    uploader.lastCommitAt = Date.now()
  }
}

const UNITS: Readonly<Record<string, number>> = { MB: 1024 * 1024, GB: 1024 * 1024 * 1024, kB: 1024, B: 1 }

function bytesOf(text: string): number {
  const [, number, unit = 'B'] = /^(\d+)\s*([kMG]?B)?$/.exec(text) ?? []
  return Number(number) * (UNITS[unit] ?? 1)
}
