import { AkashiError } from '../../foundation/index.ts'
import { readManifest } from '../base/manifest.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { basePrefix } from '../store/paths.ts'
import type { BackupManifest } from '../types.ts'
import { type Ancestor, listHistories, parseHistory, readHistory } from '../wal/history.ts'
import type { WalPiece } from '../wal/names.ts'
import { listPieces } from '../wal/pieces.ts'

/** The backups and WAL of one cluster, read from the store. */
export interface Catalog {
  readonly systemId: string
  /** Oldest first. */
  readonly backups: readonly BackupManifest[]
  readonly pieces: readonly WalPiece[]
  /** Ancestors of each timeline; the first has none. */
  readonly histories: ReadonlyMap<number, readonly Ancestor[]>
  /** Never completed, or still being taken. */
  readonly incomplete: readonly string[]
  /** Objects that could not be read; they are ignored otherwise. */
  readonly problems: readonly { readonly object: string; readonly detail: string }[]
}

const MANIFEST = /base\/([^/]+)\/manifest\.json$/
const PART = /base\/([^/]+)\//

export async function readCatalog(backupStore: BackupStore, signal?: AbortSignal): Promise<Catalog> {
  const { store, systemId } = backupStore
  const complete = new Set<string>()
  const seen = new Set<string>()
  for await (const { key } of store.list(basePrefix(systemId))) {
    const [, id] = MANIFEST.exec(key) ?? []
    if (id !== undefined) complete.add(id)
    const [, part] = PART.exec(key) ?? []
    if (part !== undefined) seen.add(part)
  }
  const backups: BackupManifest[] = []
  const problems: { object: string; detail: string }[] = []
  const note = (object: string, error: unknown) => {
    if (!(error instanceof AkashiError) || !['integrity', 'not_found', 'forbidden'].includes(error.code))
      throw error
    problems.push({ object, detail: error.message })
  }
  for (const id of complete) {
    try {
      backups.push(await readManifest(store, systemId, id, signal))
    } catch (error) {
      note(`${basePrefix(systemId)}${id}/manifest.json`, error)
    }
  }
  const histories = new Map<number, Ancestor[]>()
  for (const timeline of await listHistories(store, systemId)) {
    try {
      histories.set(timeline, parseHistory(await readHistory(backupStore, timeline, signal)))
    } catch (error) {
      note(`timeline ${timeline}`, error)
    }
  }
  return {
    systemId,
    backups: backups.sort((a, b) => (a.stoppedAt < b.stoppedAt ? -1 : 1)),
    pieces: await listPieces(store, systemId),
    histories,
    incomplete: [...seen].filter((id) => !complete.has(id)),
    problems,
  }
}

/** A backup and its ancestors, the full one first; undefined if one is missing. */
export function chainOf(
  backups: readonly BackupManifest[],
  backup: BackupManifest,
): BackupManifest[] | undefined {
  const chain = [backup]
  for (let link = backup; link.parent !== null; ) {
    const parent = backups.find(({ id }) => id === link.parent)
    if (parent === undefined || chain.includes(parent)) return undefined
    chain.unshift(parent)
    link = parent
  }
  return chain
}
