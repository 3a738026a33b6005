import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { readCatalog, restorableRanges, runBackup, verifyBackups } from '../../src/backup/index.ts'
import { coverageOf } from '../../src/backup/wal/pieces.ts'
import { AkashiError } from '../../src/foundation/index.ts'
import type { ObjectStore } from '../../src/object-store/index.ts'
import { restoreTo, startCluster } from './support/cluster.ts'

const SEEDS = process.env['AKASHI_LONG'] === '1' ? [11, 12, 13] : [11]

interface Faults {
  /** Share of puts that fail, from 0 to 1. */
  rate: number
}

/** A store whose puts fail: before the object is there, after it, or with half of it (a torn one is never kept). */
function unreliable(store: ObjectStore, faults: Faults, seed: number): ObjectStore {
  let state = seed
  const next = () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  return {
    location: store.location,
    get: (key, options) => store.get(key, options),
    head: (key) => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    listFolders: (folder, options) => store.listFolders(folder, options),
    delete: (key) => store.delete(key),
    put: async (key, body, options) => {
      if (next() >= faults.rate) return store.put(key, body, options)
      const kind = Math.floor(next() * 3)
      if (kind === 1) await store.put(key, body, options)
      if (kind === 2 && body instanceof Uint8Array) {
        const half = Readable.from([body.subarray(0, body.length / 2)])
        const sha256 = '0'.repeat(64)
        await store.put(key, half, { ...options, sha256 }).catch(() => undefined)
      }
      throw new AkashiError(kind === 0 ? 'timeout' : 'unavailable', 'the store answered 500')
    },
  }
}

it.each(SEEDS)(
  'a failing store (seed %i) never makes a false complete or a gap that is not told',
  async (seed) => {
    const faults: Faults = { rate: 0 }
    const cluster = await startCluster({ wrap: (store) => unreliable(store, faults, seed) })
    try {
      await cluster.sql('create table t (id integer)')
      await runBackup(cluster.backupStore, cluster.source, 'full')
      faults.rate = 0.3
      let stream = cluster.stream()
      for (let round = 0; round < 4; round += 1) {
        await cluster.sql('insert into t select i from generate_series(1, 20000) i')
        await cluster.sql('select pg_switch_wal()')
        // Taken or not: what counts is what the catalog says of it.
        await runBackup(cluster.backupStore, cluster.source, 'full').catch(() => undefined)
        const running = await Promise.race([
          stream.ended.then(
            () => false,
            () => false,
          ),
          stream.flushed().then(
            () => true,
            () => false,
          ),
        ])
        if (!running) stream = cluster.stream()
      }
      // The store is away for good: nothing more may be reported as stored.
      faults.rate = 1
      const before = reported(stream)
      await cluster.sql('insert into t values (0)')
      await expect(stream.ended).rejects.toThrow()
      expect(reported(stream)).toBe(before)

      faults.rate = 0
      stream = cluster.stream()
      await stream.flushed()
      await stream.stop()
      const catalog = await readCatalog(cluster.backupStore)
      expect(coverageOf(catalog.pieces)).toHaveLength(1)
      expect(coverageOf(catalog.pieces)[0]?.end).toBeGreaterThanOrEqual(reported(stream))
      const report = await verifyBackups(cluster.backupStore)
      expect(report.problems).toEqual([])
      expect(restorableRanges(catalog).length).toBe(catalog.backups.length)
      const restored = await restoreTo(cluster.backupStore, 'latest')
      const [found] = await restored.sql<{ rows: number }>('select count(*)::integer as rows from t')
      await restored.stop()
      expect(found?.rows).toBe(80_001)
    } finally {
      await cluster.stop()
    }
  },
  180_000,
)

it('a slot that lost its WAL is told as a gap, and a full backup follows', async () => {
  const { protectCluster } = await import('../../src/backup/index.ts')
  const cluster = await startCluster({
    settings: { max_slot_wal_keep_size: '64MB', max_wal_size: '64MB', min_wal_size: '32MB' },
  })
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const protect = async (until: () => Promise<boolean>) => {
    const stopping = new AbortController()
    const kinds: string[] = []
    const running = protectCluster(cluster.backupStore, cluster.source, {
      signal: stopping.signal,
      log,
      heartbeatMs: 300,
      onEvent: ({ kind }) => kinds.push(kind),
    })
    running.catch(() => undefined)
    await expect.poll(until, { timeout: 120_000, interval: 200 }).toBe(true)
    stopping.abort()
    await running
    return kinds
  }
  try {
    const backups = async () => (await readCatalog(cluster.backupStore)).backups.length
    await protect(async () => (await backups()) === 1)
    for (let segment = 0; segment < 10; segment += 1) {
      await cluster.sql(`select pg_logical_emit_message(false, 'filler', repeat('x', 1000000))`)
      await cluster.sql('select pg_switch_wal()')
    }
    await cluster.sql('checkpoint')
    const [slot] = await cluster.sql<{ status: string }>(
      'select wal_status as status from pg_replication_slots',
    )
    expect(slot?.status).toBe('lost')
    expect(await protect(async () => (await backups()) === 2)).toContain('gap')
    const { gaps, ok } = await verifyBackups(cluster.backupStore)
    expect(ok).toBe(true)
    expect(gaps).toMatchObject([{ declared: true }])
    // One that nobody declared is missing objects.
    for await (const { key } of cluster.store.list(`backups/${cluster.backupStore.systemId}/gaps/`)) {
      await cluster.store.delete(key)
    }
    expect(await verifyBackups(cluster.backupStore)).toMatchObject({ ok: false, gaps: [{ declared: false }] })
    const restored = await restoreTo(cluster.backupStore, 'latest')
    await restored.stop()
  } finally {
    await cluster.stop()
  }
}, 240_000)

function reported(stream: ReturnType<Awaited<ReturnType<typeof startCluster>>['stream']>): bigint {
  return stream.events.reduce(
    (last, event) => (event.kind === 'flushed' && event.lsn > last ? event.lsn : last),
    0n,
  )
}
