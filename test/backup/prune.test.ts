/** What a prune must not remove, and what it must: clocks that are wrong, manifests that cannot be read, old clusters. */
import { expect, it } from 'vitest'
import { cutoffOf } from '../../src/backup/catalog/age.ts'
import { pruneBackups, readCatalog, runBackup, storedSystems } from '../../src/backup/index.ts'
import { dataKeyPrefix, manifestName, systemPrefix } from '../../src/backup/store/paths.ts'
import type { BackupManifest } from '../../src/backup/types.ts'
import { startCluster } from './support/cluster.ts'

const DAY_MS = 86_400_000
const START_MS = Date.UTC(2026, 0, 1)

/** A backup each day. */
function daily(days: number, shiftMs: (day: number) => number = () => 0) {
  const backups = Array.from({ length: days }, (_, day) => ({
    stoppedAt: new Date(START_MS + day * DAY_MS + shiftMs(day)).toISOString(),
  })) as BackupManifest[]
  return { backups, pieces: [] }
}

it('counts the days that backups show, whatever the clock says now', () => {
  const catalog = daily(60)
  const last = START_MS + 59 * DAY_MS
  expect(cutoffOf(catalog, new Date(last), 30 * DAY_MS)).toBe(last - 30 * DAY_MS)
  // Two months ahead: one day more at the most.
  expect(cutoffOf(catalog, new Date(last + 60 * DAY_MS), 30 * DAY_MS)).toBe(last - 29 * DAY_MS)
  // Behind: nothing is older for it.
  expect(cutoffOf(catalog, new Date(last - 60 * DAY_MS), 30 * DAY_MS)).toBeLessThan(last - 30 * DAY_MS)
  // The clock was set two months ahead on the fiftieth day: the days before it still count as days.
  const jumped = daily(60, (day) => (day < 50 ? 0 : 60 * DAY_MS))
  const cutoff = cutoffOf(jumped, new Date(last + 60 * DAY_MS), 30 * DAY_MS)
  expect(cutoff).toBeLessThanOrEqual(START_MS + 30 * DAY_MS)
  expect(cutoff).toBeGreaterThanOrEqual(START_MS + 28 * DAY_MS)
  // A store without anything has nothing to remove.
  expect(cutoffOf({ backups: [], pieces: [] }, new Date(last), DAY_MS)).toBe(last - DAY_MS)
})

it('keeps everything while a manifest cannot be read, removes keys that nothing uses, and former clusters', async () => {
  const cluster = await startCluster()
  try {
    const { backupStore, store, source } = cluster
    const names = async (prefix: string) => {
      const found: string[] = []
      for await (const { key } of store.list(prefix)) found.push(key)
      return found
    }
    await runBackup(backupStore, source, 'full')
    // A stream makes its key when it begins; these two stored nothing under theirs.
    await backupStore.keys.create()
    await backupStore.keys.create()
    const stream = cluster.stream()
    await stream.flushed()
    const second = await runBackup(backupStore, source, 'full')
    await stream.flushed()
    await stream.stop()
    const keys = await names(dataKeyPrefix(backupStore.systemId))
    expect(keys).toHaveLength(5)

    // Another cluster in the same store, long gone.
    const former = backupStore.of('7000000000000000000')
    const manifest = { ...second, systemId: former.systemId, stoppedAt: '2020-01-01T00:00:00.000Z' }
    await store.put(manifestName(former.systemId, second.id), Buffer.from(JSON.stringify(manifest)))
    await store.put(`${systemPrefix(former.systemId)}base/${second.id}/index`, Buffer.from('x'))

    const broken = manifestName(backupStore.systemId, '20200101T000000Z-full-0000')
    await store.put(broken, Buffer.from('{'))
    const before = await names('')
    const now = new Date(Date.now() + DAY_MS / 2)
    const options = { retentionDays: 0, incrementalHours: 24, hold: false, now }
    await expect(pruneBackups(backupStore, options)).rejects.toMatchObject({ code: 'integrity' })
    expect(await names('')).toEqual(before)
    await store.delete(broken)

    expect((await pruneBackups(backupStore, { ...options, hold: true })).objects).toEqual([])
    const { backups } = await pruneBackups(backupStore, options)
    expect(backups).toHaveLength(1)
    expect((await readCatalog(backupStore)).backups.map(({ id }) => id)).toEqual([second.id])
    expect(await storedSystems(store)).toEqual([backupStore.systemId])
    // The stream's and the second backup's.
    const left = await names(dataKeyPrefix(backupStore.systemId))
    expect(left).toHaveLength(2)
    expect(left.some((name) => name.includes(second.key))).toBe(true)
  } finally {
    await cluster.stop()
  }
}, 120_000)
