/** Timeline history files: where each timeline branched off. */
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import { type Lsn, parseLsn } from '../../postgres/index.ts'
import type { BackupStore } from '../store/backup-store.ts'
import type { DataKey } from '../store/data-keys.ts'
import { historyName, historyPrefix } from '../store/paths.ts'
import { putSealed, readSealed } from '../store/sealed-object.ts'
import { listPieces } from './pieces.ts'

/** An ancestor of a timeline, left at `end`. */
export interface Ancestor {
  readonly timeline: number
  readonly end: Lsn
}

/**
 * Keeps where a timeline branched off. Two clusters that ended recovery at the same time, or from copies of each other,
 * have the same number for different timelines: the second one is refused, because their WAL would mix.
 *
 * @throws conflict
 */
export async function putHistory(
  backupStore: BackupStore,
  key: DataKey,
  timeline: number,
  content: string,
  signal?: AbortSignal,
): Promise<void> {
  const name = historyName(backupStore.systemId, timeline)
  const object = { kind: 'history', name, data: Buffer.from(content) } as const
  if ((await backupStore.store.head(name)) === null) {
    try {
      await putSealed(backupStore.store, key, object, signal, { ifAbsent: true })
      return
    } catch (error) {
      if (!(error instanceof AkashiError) || error.code !== 'already_exists') throw error
    }
  }
  if ((await readHistory(backupStore, timeline, signal)) === content) return
  // Reserved by a copy of the cluster that never wrote any WAL.
  if ((await listPieces(backupStore.store, backupStore.systemId, { timeline })).length === 0) {
    await putSealed(backupStore.store, key, object, signal)
    return
  }
  throw new AkashiError(
    'conflict',
    `another cluster in the same object store is already on timeline ${timeline}`,
    {
      hint: 'restore again, which starts a new timeline',
      detail: { timeline },
    },
  )
}

/** Takes the number of a timeline for a restored cluster, before anything else could. @throws conflict */
export async function reserveTimeline(
  backupStore: BackupStore,
  timeline: number,
  content: string,
  signal?: AbortSignal,
): Promise<void> {
  const name = historyName(backupStore.systemId, timeline)
  const key = await backupStore.keys.create(signal)
  try {
    const object = { kind: 'history', name, data: Buffer.from(content) } as const
    await putSealed(backupStore.store, key, object, signal, { ifAbsent: true })
  } catch (error) {
    if (!(error instanceof AkashiError) || error.code !== 'already_exists') throw error
    if ((await readHistory(backupStore, timeline, signal)) === content) return
    throw new AkashiError('conflict', `another restore has used timeline ${timeline} meanwhile`, {
      hint: 'restore again, which starts a new timeline',
      detail: { timeline },
    })
  }
}

export async function readHistory(
  backupStore: BackupStore,
  timeline: number,
  signal?: AbortSignal,
): Promise<string> {
  const name = historyName(backupStore.systemId, timeline)
  return (await readSealed(backupStore.store, backupStore.keys, { kind: 'history', name }, signal)).toString()
}

/** Timelines with a history in the store; the first has none. */
export async function listHistories(store: ObjectStore, systemId: string): Promise<number[]> {
  const timelines: number[] = []
  for await (const { key } of store.list(historyPrefix(systemId))) {
    timelines.push(Number.parseInt(key.slice(key.lastIndexOf('/') + 1), 16))
  }
  return timelines
}

/** Lines are `<timeline>\t<LSN>\t<reason>` (PostgreSQL's access/timeline.h). */
export function parseHistory(content: string): Ancestor[] {
  return content.split('\n').flatMap((line) => {
    const [, timeline, lsn] = /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line) ?? []
    return timeline === undefined || lsn === undefined
      ? []
      : [{ timeline: Number(timeline), end: parseLsn(lsn) }]
  })
}
