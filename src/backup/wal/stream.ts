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
import { WalUploader } from './uploader.ts'

/** The replication slot that keeps WAL until it is in the store. */
export const SLOT = 'akashi_backup'

/** Milliseconds without a commit after which a heartbeat is committed, so that the latest restorable moment moves. */
const HEARTBEAT_MS = 10_000
const HEARTBEAT_CHECK_MS = 500
/** Milliseconds between two reports to the server; its wal_sender_timeout is a minute as a rule. */
const REPORT_MS = 5_000
/** Milliseconds to put what was received once the stream is told to stop. */
const DRAIN_MS = 5_000

export type StreamEvent =
  | { readonly kind: 'started'; readonly timeline: number; readonly start: Lsn }
  | { readonly kind: 'flushed'; readonly timeline: number; readonly lsn: Lsn }
  /** WAL between the two is in no store: nothing between them can be restored without a new base backup. */
  | { readonly kind: 'gap'; readonly timeline: number; readonly from: Lsn; readonly to: Lsn }
  | { readonly kind: 'timeline'; readonly timeline: number; readonly switchLsn: Lsn }

export interface StreamOptions {
  /** Ends the stream in order: what was received is put and acknowledged. */
  readonly signal: AbortSignal
  readonly onEvent?: (event: StreamEvent) => void
  readonly heartbeatMs?: number
  readonly slot?: string
}

/**
 * Streams WAL into the store until the signal. The server keeps WAL that was not acknowledged, and it is
 * acknowledged only when its object is durable.
 * @throws unavailable when server or store went away: run it again, it goes on where it stopped
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
        throw new AkashiError('conflict', 'the server is another cluster than before', {
          hint: 'start the stream again',
        })
      }
      next = await streamTimeline(
        { backupStore, source, key, replication, cut, slot, onEvent },
        next ?? (await startingPoint(backupStore, replication, slot, onEvent)),
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
  /** Cuts the connection at once. */
  readonly cut: AbortController
  readonly slot: string
  readonly onEvent: (event: StreamEvent) => void
}

/** Where the slot stands; a slot that lost WAL is made anew and the gap is told. */
async function startingPoint(
  backupStore: BackupStore,
  replication: Replication,
  slot: string,
  onEvent: (event: StreamEvent) => void,
): Promise<Position> {
  const segmentBytes = bytesOf(await replication.show('wal_segment_size'))
  let state = await replication.readSlot(slot)
  if (state !== null && state.restartLsn === null) {
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
    throw new AkashiError('unavailable', 'the replication slot keeps no WAL', { hint: 'try again' })
  }
  const start = segmentStart(restart, segmentBytes)
  const position = { timeline: state?.restartTimeline ?? timeline, start, segmentBytes }
  for (const gap of await lostBefore(backupStore, replication, position)) {
    // Told first, so that no gap is in the store that nobody was told of.
    await putWithRetries(
      backupStore.store,
      gapName(backupStore.systemId, gap),
      Buffer.from(`${new Date().toISOString()}\n`),
    )
    onEvent({ kind: 'gap', ...gap })
  }
  return position
}

interface Stretch {
  readonly timeline: number
  readonly from: Lsn
  readonly to: Lsn
}

/**
 * What was written since the end of what is stored and before the position. A server that took over begins a
 * timeline: what of the one before was not stored then, and what the new one wrote before its slot, is lost.
 */
async function lostBefore(
  { store, systemId }: BackupStore,
  replication: Replication,
  { timeline, start, segmentBytes }: Position,
): Promise<Stretch[]> {
  const storedOf = async (line: number) => coverageOf(await listPieces(store, systemId, line)).at(-1)
  const stored = await storedOf(timeline)
  const holes: Stretch[] = []
  if (stored !== undefined) holes.push({ timeline, from: stored.end, to: start })
  else if (timeline > 1) {
    const { content } = await replication.timelineHistory(timeline)
    const parent = parseHistory(content).at(-1)
    const before = parent === undefined ? undefined : await storedOf(parent.timeline)
    if (parent === undefined || before === undefined) return []
    // The new timeline's first segment has what the old one wrote into it.
    const copied = segmentStart(parent.end, segmentBytes)
    const to = start <= copied ? copied : parent.end
    holes.push({ timeline: parent.timeline, from: before.end, to })
    holes.push({ timeline, from: parent.end, to: start })
  }
  return holes.filter(({ from, to }) => from < to)
}

/** Answers where to go on when the timeline ended, undefined when the stream was told to stop. */
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
  const existing = (await listPieces(backupStore.store, backupStore.systemId, timeline)).filter(
    (piece) => piece.start >= start && piece.end <= start + BigInt(segmentBytes),
  )
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
    // The rest is put first; then the server is left.
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
    throw new AkashiError('unavailable', 'the server ended the stream of WAL', { hint: 'try again' })
  } catch (error) {
    if (failed.error !== undefined) throw failed.error
    if (options.signal.aborted) return undefined
    throw error
  } finally {
    options.signal.removeEventListener('abort', stop)
    clearTimeout(stopped)
    clearInterval(reporting)
    stopping.abort()
    // Also when the server died: what it sent is put.
    uploader.end()
    const late = setTimeout(() => giveUp.abort(), DRAIN_MS)
    await Promise.all([uploading, beating])
    clearTimeout(late)
  }
}

/** Commits something while nobody else does. A message of the WAL needs no table and no right. */
async function heartbeat(
  source: BackupSource,
  uploader: WalUploader,
  { heartbeatMs = HEARTBEAT_MS }: StreamOptions,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(Math.min(HEARTBEAT_CHECK_MS, heartbeatMs), undefined, { signal }).catch(() => undefined)
    if (signal.aborted || Date.now() - uploader.lastCommitAt < heartbeatMs) continue
    // A server that is away, or a standby, is noticed by the stream itself.
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
