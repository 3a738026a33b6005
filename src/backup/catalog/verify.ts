import { AkashiError, given } from '../../foundation/index.ts'
import { listAuditCopies, NEVER_COMPLETED, readAuditCopy } from '../audit-copy/copies.ts'
import { checkFiles, openBackup } from '../restore/write-files.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { dataKeyPrefix, gapName, gapPrefix, historyName } from '../store/paths.ts'
import type { BackupManifest } from '../types.ts'
import { readHistory } from '../wal/history.ts'
import type { WalPiece } from '../wal/names.ts'
import { coverageOf, listPieces } from '../wal/pieces.ts'
import { isMissing, readPiece } from '../wal/read.ts'
import { chainOf, readCatalog } from './catalog.ts'

/** See gapName. */
const GAP_NAME = /\/([0-9A-F]{8})\/([0-9a-f]{16})-([0-9a-f]{16})$/

export interface VerifyProblem {
  /** Object of the store, or `wal <timeline>` for missing WAL. */
  readonly object: string
  readonly detail: string
}

export interface BackupVerification {
  readonly ok: boolean
  readonly systemId: string
  readonly backups: number
  readonly walPieces: number
  /** Long-term copies of the audit log. */
  readonly auditCopies: number
  /** Bytes read from the store. */
  readonly bytes: number
  readonly problems: readonly VerifyProblem[]
  /** WAL missing from the store: moments within it cannot be restored. */
  readonly gaps: readonly Gap[]
}

export interface Gap {
  readonly timeline: number
  /** Positions, hexadecimal. */
  readonly from: string
  readonly to: string
  /** The stream reported that the server had already lost it; otherwise objects are missing. */
  readonly declared: boolean
}

interface Options {
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total: number) => void
}

/** Reads and verifies every object: keys, manifests, indexes, packs against the server's checksums, WAL. */
export async function verifyBackups(
  backupStore: BackupStore,
  options: Options = {},
): Promise<BackupVerification> {
  const { signal, onProgress = () => undefined } = options
  const catalog = await readCatalog(backupStore, signal)
  const problems: VerifyProblem[] = [...catalog.problems]
  const walBytes = catalog.pieces.reduce((sum, { start, end }) => sum + Number(end - start), 0)
  const total = walBytes + catalog.backups.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  const count = (bytes: number) => {
    done += bytes
    onProgress(done, total)
  }
  const check = async (object: string, work: () => Promise<unknown>) => {
    try {
      await work()
    } catch (error) {
      // In an archive tier: verified once it is thawed.
      if (error instanceof AkashiError && error.detail['frozen'] === true) return
      problems.push(problemOf(object, error))
    }
  }
  for await (const { key } of backupStore.store.list(dataKeyPrefix(backupStore.systemId))) {
    await check(key, () =>
      backupStore.keys.open(key.slice(key.lastIndexOf('/') + 1, -'.age'.length), key, signal),
    )
  }
  for (const backup of catalog.backups) {
    await check(backup.id, () => verifyBackup(backupStore, backup, catalog.backups, signal, count))
  }
  for (const { id, damaged = [] } of catalog.backups) {
    problems.push(...damaged.map((page) => ({ object: id, detail: `${page} was damaged on the server` })))
  }
  for (const timeline of catalog.histories.keys()) {
    await check(historyName(backupStore.systemId, timeline), () => readHistory(backupStore, timeline, signal))
  }
  for (const piece of catalog.pieces) {
    await check(piece.name, () => verifyPiece(backupStore, piece, signal))
    count(Number(piece.end - piece.start))
  }
  const copies = await listAuditCopies(backupStore, signal)
  for (const copy of copies) {
    // A copy without manifest may be in progress.
    if (copy.manifest === null) {
      if (copy.problem !== NEVER_COMPLETED) problems.push({ object: copy.id, detail: copy.problem ?? '' })
      continue
    }
    for (const tier of copy.tiers) {
      await check(copy.id, async () => {
        for await (const part of readAuditCopy(backupStore, copy, {
          tier,
          ...given({ signal }),
        }))
          count(part.length)
      })
    }
  }
  const gaps = await gapsOf(backupStore, catalog.pieces)
  return {
    ok: problems.length === 0 && gaps.every(({ declared }) => declared),
    systemId: backupStore.systemId,
    backups: catalog.backups.length,
    walPieces: catalog.pieces.length,
    auditCopies: copies.filter(({ manifest }) => manifest !== null).length,
    bytes: done,
    problems: dedupe(problems),
    gaps,
  }
}

/** Gaps between pieces, and declared gaps without a following piece on the same timeline. */
async function gapsOf(backupStore: BackupStore, pieces: readonly WalPiece[]): Promise<Gap[]> {
  const declared = new Map<string, Gap>()
  for await (const { key } of backupStore.store.list(gapPrefix(backupStore.systemId))) {
    const [, timeline, from, to] = GAP_NAME.exec(key) ?? []
    if (timeline === undefined || from === undefined || to === undefined) continue
    const positions = { from: BigInt(`0x${from}`).toString(16), to: BigInt(`0x${to}`).toString(16) }
    declared.set(key, { timeline: Number.parseInt(timeline, 16), ...positions, declared: true })
  }
  const coverage = coverageOf(pieces)
  const missing = coverage.flatMap(({ timeline, end }, i) => {
    const next = coverage[i + 1]
    if (next === undefined || next.timeline !== timeline) return []
    const name = gapName(backupStore.systemId, { timeline, from: end, to: next.start })
    const reported = declared.delete(name)
    return [{ timeline, from: end.toString(16), to: next.start.toString(16), declared: reported }]
  })
  return [...missing, ...declared.values()].sort((a, b) => a.timeline - b.timeline)
}

/** A piece that was replaced by a whole segment meanwhile is not lost. */
async function verifyPiece(backupStore: BackupStore, piece: WalPiece, signal?: AbortSignal): Promise<void> {
  try {
    await readPiece(backupStore, piece, signal)
  } catch (error) {
    if (!isMissing(error)) throw error
    const now = await listPieces(backupStore.store, backupStore.systemId, { timeline: piece.timeline })
    const replacement = now.find(({ start, end }) => start <= piece.start && end >= piece.end)
    if (replacement === undefined || replacement.name === piece.name) throw error
    await readPiece(backupStore, replacement, signal)
  }
}

async function verifyBackup(
  backupStore: BackupStore,
  backup: BackupManifest,
  backups: readonly BackupManifest[],
  signal: AbortSignal | undefined,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const opened = await openBackup(backupStore, backup, signal)
  for (const { name, size } of backup.objects) {
    const head = await backupStore.store.head(name)
    if (head?.size !== size) {
      throw new AkashiError(
        'integrity',
        `${name} is ${head === null ? 'missing' : 'not of its original size'}`,
        {
          detail: { object: name },
        },
      )
    }
  }
  await checkFiles(backupStore, opened, { onBytes, ...given({ signal }) })
  if (chainOf(backups, backup) === undefined) {
    throw new AkashiError('integrity', `${backup.id} is based on ${backup.parent}, which is missing`, {
      detail: { object: backup.id },
    })
  }
}

function problemOf(object: string, error: unknown): VerifyProblem {
  if (!(error instanceof AkashiError) || !['integrity', 'not_found', 'forbidden'].includes(error.code))
    throw error
  const { object: named, key } = error.detail
  const name = typeof named === 'string' ? named : typeof key === 'string' ? key : object
  return { object: name, detail: error.message }
}

/** A damaged key causes a problem for every object it encrypts. */
function dedupe(problems: readonly VerifyProblem[]): VerifyProblem[] {
  const seen = new Map(problems.map((problem) => [`${problem.object} ${problem.detail}`, problem]))
  return [...seen.values()]
}
