/**
 * Stages the WAL for a recovery in a folder, so that PostgreSQL only starts once all of it is verified, and
 * searches it for the record at which recovery stops.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import { formatLsn, type Lsn } from '../../postgres/index.ts'
import type { RestorableRange } from '../catalog/window.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { timelineHex } from '../store/paths.ts'
import { listHistories, readHistory } from '../wal/history.ts'
import { segmentFile, type WalPiece } from '../wal/names.ts'
import { readSegment } from '../wal/read.ts'
import { type WalEvent, WalWalker } from '../wal/walker.ts'
import { low, type Target } from './target.ts'

/** Marks that all WAL is staged. */
export const STAGED_MARKER = 'complete'

export interface Staged {
  /** Whether there is a record at which the target stops. */
  readonly found: boolean
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
    const walker = new WalWalker(part.start, segmentBytes, (event) => search.see(event))
    for (let start = part.start; start < part.end && !search.found; start += BigInt(segmentBytes)) {
      const end = min(start + BigInt(segmentBytes), part.end)
      const segment = await readSegment(backupStore, part.timeline, { start, end, segmentBytes }, own, signal)
      if (segment === undefined) throw walMissing(part.timeline, start)
      walker.advance(segment, start, end)
      search.reached(walker.lastRecord)
      await writeFile(join(folder, segmentFile(part.timeline, start, segmentBytes)), segment, { mode: 0o600 })
      bytes += Number(end - start)
      onBytes(Number(end - start))
    }
  }
  await writeFile(join(folder, STAGED_MARKER), '', { mode: 0o600 })
  return { found: search.found || target.kind === 'latest', lastCommitMs: search.lastCommitMs, bytes }
}

/** Finds out whether recovery reaches the target (PostgreSQL's recoveryStopsBefore and …After). */
class Search {
  readonly #target: Target
  found = false
  lastCommitMs: number | undefined

  constructor(target: Target) {
    this.#target = target
  }

  see(event: WalEvent): void {
    if (this.found) return
    if (event.kind === 'commit') this.lastCommitMs = Number(event.timeUs / 1000n)
    switch (this.#target.kind) {
      case 'time':
        this.found = event.kind !== 'point' && event.timeUs > this.#target.us
        break
      case 'xid':
        this.found = event.kind !== 'point' && BigInt(event.xid) === low(this.#target.xid)
        break
      case 'name':
        this.found = event.kind === 'point' && event.name === this.#target.name
        break
    }
  }

  /** @param lastRecord start of the last complete record */
  reached(lastRecord: Lsn | undefined): void {
    if (this.#target.kind !== 'lsn' || lastRecord === undefined) return
    this.found = lastRecord >= this.#target.lsn
  }
}

function walMissing(timeline: number, start: Lsn): AkashiError {
  return new AkashiError('integrity', `WAL of timeline ${timeline} from ${formatLsn(start)} is missing`, {
    hint: 'restore to an earlier moment, and run akashi backup verify',
  })
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
