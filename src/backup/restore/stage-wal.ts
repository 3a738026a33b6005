/**
 * Stages the WAL for a recovery in a folder, so that PostgreSQL only starts once all of it is verified, and
 * searches it for the record at which recovery stops.
 */
import { mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import { formatLsn, type Lsn } from '../../postgres/index.ts'
import type { RestorableRange } from '../catalog/window.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { timelineHex } from '../store/paths.ts'
import { listHistories, readHistory } from '../wal/history.ts'
import { segmentFile, type WalPiece } from '../wal/names.ts'
import { readWal } from '../wal/read.ts'
import { type WalEvent, WalWalker } from '../wal/walker.ts'
import { low, type Target } from './target.ts'

const FILE_MODE = 0o600
/** Bytes of WAL in memory at a time; divides every larger segment size. */
const CHUNK_BYTES = 16 * 1024 * 1024
/** Marks that all WAL is staged. */
export const STAGED_MARKER = 'complete'

export interface Staged {
  /** Whether there is a record at which the target stops. */
  readonly found: boolean
  /** Where recovery then ends: the end of the last record that it replays; undefined if that is the end of the WAL. */
  readonly end: Lsn | undefined
  /** Milliseconds since 1970 of the last commit seen; undefined if none. */
  readonly lastCommitMs: number | undefined
  readonly bytes: number
}

export async function stageWal(
  backupStore: BackupStore,
  range: RestorableRange,
  pieces: readonly WalPiece[],
  target: Target,
  folder: string,
  options: { readonly signal?: AbortSignal; readonly onBytes?: (bytes: number) => void } = {},
): Promise<Staged> {
  const { signal, onBytes = () => undefined } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const timeline of await listHistories(backupStore.store, backupStore.systemId)) {
    const content = await readHistory(backupStore, timeline, signal)
    await writeFile(join(folder, `${timelineHex(timeline)}.history`), content, { mode: 0o600 })
  }
  const segmentBytes = range.backup.walSegmentBytes
  const search = new Search(target)
  let bytes = 0
  for (const part of range.wal) {
    const own = pieces.filter(({ timeline }) => timeline === part.timeline)
    const walker = new WalWalker(
      part.start,
      segmentBytes,
      (event) => search.see(event),
      ({ at, reason }) => {
        // After the target, unreadable WAL does not matter; before it, PostgreSQL would take it for the end
        // of the WAL.
        if (!search.found) throw walUnreadable(part.timeline, at, reason)
      },
    )
    for (let start = part.start; start < part.end && !search.found; start += BigInt(segmentBytes)) {
      const end = min(start + BigInt(segmentBytes), part.end)
      const file = await open(join(folder, segmentFile(part.timeline, start, segmentBytes)), 'wx', FILE_MODE)
      try {
        for (let at = start; at < end && !search.found; at += BigInt(CHUNK_BYTES)) {
          const range = { start: at, end: min(at + BigInt(CHUNK_BYTES), end) }
          const chunk = await readWal(backupStore, part.timeline, range, own, signal)
          if (chunk === undefined || BigInt(chunk.length) < range.end - at)
            throw walMissing(part.timeline, at)
          walker.advance(chunk, at, range.end)
          search.reached(walker.lastRecord)
          await file.write(chunk, 0, chunk.length, Number(at - start))
          bytes += chunk.length
          onBytes(chunk.length)
        }
        // The server takes whole segments only.
        await file.truncate(segmentBytes)
      } finally {
        await file.close()
      }
    }
  }
  await writeFile(join(folder, STAGED_MARKER), '', { mode: 0o600 })
  const found = search.found || target.kind === 'latest'
  return { found, end: search.end, lastCommitMs: search.lastCommitMs, bytes }
}

/** Finds out whether recovery reaches the target (PostgreSQL's recoveryStopsBefore and …After). */
class Search {
  readonly #target: Target
  found = false
  end: Lsn | undefined
  lastCommitMs: number | undefined

  constructor(target: Target) {
    this.#target = target
  }

  see(event: WalEvent): void {
    if (this.found) return
    if (event.kind === 'commit') this.lastCommitMs = Number(event.timeUs / 1000n)
    this.found = this.#stopsAt(event)
    // A time stops recovery before the record, everything else after it.
    if (this.found) this.end = this.#target.kind === 'time' ? event.previousEnd : event.end
  }

  #stopsAt(event: WalEvent): boolean {
    switch (this.#target.kind) {
      case 'time':
        return event.kind !== 'point' && event.timeUs > this.#target.us
      case 'xid':
        return event.kind !== 'point' && BigInt(event.xid) === low(this.#target.xid)
      case 'name':
        return event.kind === 'point' && event.name === this.#target.name
      default:
        return false
    }
  }

  /** @param lastRecord the last complete record */
  reached(lastRecord: { readonly start: Lsn } | undefined): void {
    if (this.#target.kind !== 'lsn' || lastRecord === undefined) return
    this.found = lastRecord.start >= this.#target.lsn
  }
}

function walUnreadable(timeline: number, at: Lsn, reason: string): AkashiError {
  return new AkashiError(
    'integrity',
    `WAL of timeline ${timeline} cannot be read at ${formatLsn(at)}: ${reason}`,
    { hint: 'restore to an earlier moment, and take a full backup: akashi backup full' },
  )
}

function walMissing(timeline: number, start: Lsn): AkashiError {
  return new AkashiError('integrity', `WAL of timeline ${timeline} from ${formatLsn(start)} is missing`, {
    hint: 'restore to an earlier moment, and run akashi backup verify',
  })
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
