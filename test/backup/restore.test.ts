import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCatalog, restorableRanges, runBackup, verifyBackups } from '../../src/backup/index.ts'
import { AkashiError } from '../../src/foundation/index.ts'
import { type RunningStream, restoreTo, startCluster, type TestCluster } from './support/cluster.ts'

const PAUSE = 'select pg_sleep(0.02)'

let cluster: TestCluster
let stream: RunningStream
let full: { readonly bytes: number; readonly stored: number }

/** What the table held at each point that is restored to. */
const points: { label: string; at: string; rows: number }[] = []

async function now(): Promise<string> {
  const [row] = await cluster.sql<{ time: string }>(
    `select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as time`,
  )
  return row?.time ?? ''
}

async function latestRestorable(): Promise<number> {
  return Math.max(...restorableRanges(await readCatalog(cluster.backupStore)).map(({ toMs }) => toMs))
}

async function refusal(at: string): Promise<AkashiError> {
  const error: unknown = await restoreTo(cluster.backupStore, at).then(
    async (restored) => {
      await restored.stop()
      return undefined
    },
    (reason: unknown) => reason,
  )
  if (error instanceof AkashiError) return error
  throw new Error(`${at} was not refused`, { cause: error })
}

beforeAll(async () => {
  cluster = await startCluster()
  stream = cluster.stream()
  await cluster.sql('create table t (id integer primary key, note text)')
  await cluster.sql(`insert into t select i, repeat('a', 200) from generate_series(1, 20000) i`)
  full = await runBackup(cluster.backupStore, cluster.source, 'full')
  await cluster.sql(`insert into t values (100001, 'one')`)
  await cluster.sql(PAUSE)
  points.push({ label: 'a time', at: await now(), rows: 20_001 })
  await cluster.sql(PAUSE)
  const [xid] = await cluster.sql<{ xid: string }>(
    `insert into t values (100002, 'two') returning pg_current_xact_id()::text as xid`,
  )
  points.push({ label: 'a transaction', at: xid?.xid ?? '', rows: 20_002 })
  await cluster.sql(`insert into t values (100003, 'three')`)
  const [lsn] = await cluster.sql<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn')
  points.push({ label: 'a position', at: lsn?.lsn ?? '', rows: 20_003 })
  await cluster.sql(`insert into t values (100004, 'four')`)
  await cluster.sql(`select pg_create_restore_point('before-the-mistake')`)
  points.push({ label: 'a named point', at: 'before-the-mistake', rows: 20_004 })
  await cluster.sql('delete from t where id <= 15000')
  await runBackup(cluster.backupStore, cluster.source, 'incremental')
  await cluster.sql(`insert into t values (100005, 'five')`)
  await cluster.sql(PAUSE)
  points.push({ label: 'a time behind an incremental', at: await now(), rows: 5_005 })
  await cluster.sql(PAUSE)
  await cluster.sql(`insert into t select i, 'late' from generate_series(200001, 200100) i`)
  points.push({ label: 'latest', at: 'latest', rows: 5_105 })
  await stream.flushed()
})

afterAll(async () => {
  await stream.stop()
  await cluster.stop()
})

describe('a cluster in the store', () => {
  it('is compressed', () => {
    expect(full.stored).toBeLessThan(full.bytes / 2)
  })

  it('comes back at every kind of point with exactly what was committed by then', async () => {
    const timelines: number[] = []
    for (const { label, at, rows } of points) {
      const restored = await restoreTo(cluster.backupStore, at)
      try {
        const [found] = await restored.sql<{ rows: number }>('select count(*)::integer as rows from t')
        expect(found?.rows, label).toBe(rows)
        const [state] = await restored.sql<{ command: string; target: string; recovering: boolean }>(
          `select current_setting('restore_command') as command, current_setting('recovery_target_time') as target,
             pg_is_in_recovery() as recovering`,
        )
        expect(state).toEqual({ command: '', target: '', recovering: false })
        timelines.push(restored.timeline)
      } finally {
        await restored.stop()
      }
    }
    // Each begins a timeline that no other restore of the cluster has.
    expect(timelines).toEqual(points.map((_, i) => i + 2))
  }, 180_000)

  it('refuses what cannot be reached before anything is started, and names the nearest', async () => {
    const to = await latestRestorable()
    const past = await refusal(new Date(to + 3_600_000).toISOString())
    expect(past.code).toBe('conflict')
    expect(past.hint).toMatch(/^nearest: /)
    const early = await refusal('2001-01-01T00:00:00Z')
    expect(early.detail['nearest']).toHaveLength(1)
    expect((await refusal('FFFF/0')).code).toBe('conflict')
    expect((await refusal('99999999')).code).toBe('conflict')
    expect((await refusal('no-such-point')).code).toBe('conflict')
    for (const nonsense of ['2026-13-41', '2026-02-30', '']) {
      expect((await refusal(nonsense)).code).toBe('invalid_input')
    }
  })

  it('reaches the latest restorable moment itself, and one millisecond later is refused', async () => {
    await stream.stop()
    const to = await latestRestorable()
    const restored = await restoreTo(cluster.backupStore, new Date(to).toISOString())
    await restored.stop()
    expect((await refusal(new Date(to + 1).toISOString())).code).toBe('conflict')
    stream = cluster.stream()
  }, 60_000)

  it('moves its latest restorable moment while nobody writes', async () => {
    const before = await latestRestorable()
    await expect.poll(latestRestorable, { timeout: 20_000 }).toBeGreaterThan(before)
    const restored = await restoreTo(cluster.backupStore, new Date(await latestRestorable()).toISOString())
    const [found] = await restored.sql<{ rows: number }>('select count(*)::integer as rows from t')
    await restored.stop()
    expect(found?.rows).toBe(5_105)
  }, 60_000)

  it('passes verification', async () => {
    const found = await verifyBackups(cluster.backupStore)
    expect(found).toMatchObject({ ok: true, problems: [], gaps: [], backups: 2 })
  })
})
