/** Timeline history files: where each timeline branched off. */
import type { ObjectStore } from '../../object-store/index.ts'
import { type Lsn, parseLsn } from '../../postgres/index.ts'
import type { BackupStore } from '../store/backup-store.ts'
import type { DataKey } from '../store/data-keys.ts'
import { historyName, historyPrefix } from '../store/paths.ts'
import { putSealed, readSealed } from '../store/sealed-object.ts'

/** An ancestor of a timeline, left at `end`. */
export interface Ancestor {
  readonly timeline: number
  readonly end: Lsn
}

export async function putHistory(
  backupStore: BackupStore,
  key: DataKey,
  timeline: number,
  content: string,
  signal?: AbortSignal,
): Promise<void> {
  const name = historyName(backupStore.systemId, timeline)
  if ((await backupStore.store.head(name)) !== null) return
  await putSealed(backupStore.store, key, { kind: 'history', name, data: Buffer.from(content) }, signal)
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
