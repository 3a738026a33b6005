import { AkashiError, given } from '../../foundation/index.ts'
import { readManifest } from '../base/manifest.ts'
import type { BackupStore } from '../store/backup-store.ts'
import { basePrefix, manifestName } from '../store/paths.ts'
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

/** The ids of all backups, also of incomplete ones, oldest first; none of their packs is listed. */
export async function* listBackups(
  { store, systemId }: BackupStore,
  signal?: AbortSignal,
): AsyncIterable<string> {
  const base = basePrefix(systemId)
  for await (const folder of store.listFolders(base, given({ signal }))) yield folder.slice(base.length, -1)
}

function isMissing(error: unknown): boolean {
  return error instanceof AkashiError && error.code === 'not_found'
}

export async function readCatalog(backupStore: BackupStore, signal?: AbortSignal): Promise<Catalog> {
  const { store, systemId } = backupStore
  const incomplete: string[] = []
  const backups: BackupManifest[] = []
  const problems: { object: string; detail: string }[] = []
  const note = (object: string, error: unknown) => {
    if (!(error instanceof AkashiError) || !['integrity', 'not_found', 'forbidden'].includes(error.code))
      throw error
    problems.push({ object, detail: error.message })
  }
  for await (const id of listBackups(backupStore, signal)) {
    try {
      backups.push(await readManifest(store, systemId, id, signal))
    } catch (error) {
      if (isMissing(error)) incomplete.push(id)
      else note(manifestName(systemId, id), error)
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
    incomplete,
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
