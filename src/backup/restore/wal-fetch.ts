import { rename, writeFile } from 'node:fs/promises'
import { AkashiError } from '../../foundation/index.ts'
import { readCatalog } from '../catalog/catalog.ts'
import type { Vault } from '../vault/vault.ts'
import { listHistories, readHistory } from '../wal/history.ts'
import { parseSegmentFile } from '../wal/names.ts'
import { readSegment } from '../wal/read.ts'

const HISTORY = /^([0-9A-F]{8})\.history$/

/**
 * Brings a WAL file that PostgreSQL asks for (restore_command's `%f`) to a path (`%p`), in one step.
 * @returns false when the store, which answered, has no such file
 * @throws whatever keeps it from knowing: PostgreSQL must not take that for the end of the WAL
 */
export async function fetchWal(vault: Vault, file: string, path: string): Promise<boolean> {
  const content = await contentOf(vault, file)
  if (content === undefined) return false
  const temporary = `${path}.fetching`
  await writeFile(temporary, content, { mode: 0o600 })
  await rename(temporary, path)
  return true
}

async function contentOf(vault: Vault, file: string): Promise<Buffer | string | undefined> {
  const [, timeline] = HISTORY.exec(file) ?? []
  if (timeline !== undefined) {
    const wanted = Number.parseInt(timeline, 16)
    const known = await listHistories(vault.store, vault.systemId)
    return known.includes(wanted) ? readHistory(vault, wanted) : undefined
  }
  const segmentBytes = (await readCatalog(vault)).backups.at(-1)?.walSegmentBytes
  if (segmentBytes === undefined) {
    throw new AkashiError('not_found', 'there is no backup that tells the size of a segment')
  }
  const wanted = parseSegmentFile(file, segmentBytes)
  if (wanted === undefined) return undefined
  const { timeline: own, start } = wanted
  return readSegment(vault, own, { start, end: start + BigInt(segmentBytes), segmentBytes })
}
