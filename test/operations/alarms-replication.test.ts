/** Alarms of what concerns a whole server, made to fire on one of its own: standbys, slots, transaction ids. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { crosscheck, crosscheckStatus, dropCrosscheckSlot } from '../../src/audit/index.ts'
import { openAlarms, watchAlarms } from '../../src/operations/index.ts'
import {
  type Database,
  migrateUp,
  openDatabase,
  openReplication,
  parseLsn,
} from '../../src/postgres/index.ts'
import { type RunningStream, startCluster, type TestCluster } from '../backup/support/cluster.ts'
import { CONTEXT_KEY, MIGRATIONS, tester } from '../support/index.ts'
import { keepingLog } from './keeping-log.ts'

const MEBIBYTE = 1_048_576
const log = keepingLog()
let cluster: TestCluster
let worker: Database

beforeAll(async () => {
  cluster = await startCluster({ settings: { wal_level: 'logical', synchronous_commit: 'off' } })
  const { url } = cluster.source
  await migrateUp({ url, directory: MIGRATIONS })
  await cluster.source.database.direct((session) =>
    session.query("select akashi_auth.add_context_key($1, $2, 'akashi', null)", [
      CONTEXT_KEY.id,
      CONTEXT_KEY.secret,
    ]),
  )
  worker = openDatabase({ url, role: 'worker', poolSize: 2, contextKey: CONTEXT_KEY })
})

afterAll(async () => {
  await worker?.close()
  await cluster?.stop()
})

const set = (key: string, value: number) =>
  cluster.sql(`update akashi_lifecycle.settings set value = '${value}' where key = '${key}'`)

const round = () =>
  watchAlarms(
    {
      worker,
      store: cluster.store,
      keyring: cluster.keyring,
      data: undefined,
      folder: cluster.folder,
      certificates: async () => [],
      log,
    },
    tester,
  )

/** The alarms of this kind that are open after two rounds, the first of which is taken to be a day ago. */
async function open(wanted: string): Promise<string[]> {
  await round()
  await cluster.sql(
    `update akashi_lifecycle.alarms set began_at = began_at - interval '1 day' where opened_at is null`,
  )
  await round()
  return (await openAlarms(worker, tester))
    .filter(({ condition }) => condition === wanted)
    .map(({ subject, detail }) => `${subject}: ${detail}`)
}

const position = async () => {
  const [row] = await cluster.sql<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn')
  return row?.lsn ?? ''
}

/** Writes this many bytes of WAL, and no row. */
const write = (bytes: number) =>
  cluster.sql(`select pg_logical_emit_message(false, 'test', repeat('x', 65536)) is null
               from generate_series(1, ${Math.ceil(bytes / 65_536)})`)

test('replication_lag: a standby that receives WAL and applies none, until it goes', async () => {
  await set('alarm.replication_lag_mb', 1)
  expect(await open('replication_lag')).toEqual([])
  const standby = await openReplication(cluster.source.url, { applicationName: 'standby1' })
  const { timeline } = await standby.identify()
  const start = parseLsn(await position())
  const stream = standby.walStream({ start: start - (start % BigInt(16 * MEBIBYTE)), timeline })
  const reading = (async () => {
    // A standby that says again and again that it is still at the beginning.
    for await (const _ of stream) stream.report(start, start)
  })().catch(() => undefined)
  await write(4 * MEBIBYTE)
  await expect
    .poll(() => cluster.sql(`select state from pg_stat_replication where application_name = 'standby1'`))
    .toMatchObject([{ state: /streaming|catchup/ }])
  expect(await open('replication_lag')).toEqual([
    expect.stringMatching(/^standby1: the standby standby1 \(process \d+\) is \d+ MB of WAL behind$/),
  ])
  await standby.close()
  await reading
  await expect
    .poll(() => cluster.sql(`select 1 from pg_stat_replication where application_name = 'standby1'`))
    .toEqual([])
  expect(await open('replication_lag')).toEqual([])
})

test('wal_kept: WAL waits for an object store that nobody streams to, until somebody does', async () => {
  await set('alarm.wal_kept_mb', 1)
  let stream: RunningStream = cluster.stream()
  await stream.flushed()
  await stream.stop()
  expect(await open('wal_kept')).toEqual([])
  await write(20 * MEBIBYTE)
  expect(await open('wal_kept')).toEqual([
    expect.stringMatching(
      /^: \d+ MB of WAL are waiting for the object store; the slot is reserved, and no process streams it$/,
    ),
  ])
  stream = cluster.stream()
  try {
    await stream.flushed()
    await expect.poll(() => open('wal_kept')).toEqual([])
  } finally {
    await stream.stop()
  }
})

test('crosscheck_stopped: nothing reads the slot of the cross-check, until something does', async () => {
  const { source } = cluster
  const running = () => {
    const stopping = new AbortController()
    const ended = crosscheck({
      source,
      worker,
      keyring: cluster.keyring,
      actor: tester,
      signal: stopping.signal,
      log,
      checkState: async () => undefined,
    })
    return {
      stop: async () => {
        stopping.abort()
        await ended
      },
    }
  }
  const state = async () => (await crosscheckStatus(worker, tester)).state
  expect(await open('crosscheck_stopped')).toEqual([])
  let reader = running()
  await expect.poll(state).toBe('running')
  expect(await open('crosscheck_stopped')).toEqual([])
  await reader.stop()
  await expect.poll(state).toBe('stopped')
  expect(await open('crosscheck_stopped')).toEqual([expect.stringContaining('no process reads')])
  reader = running()
  await expect.poll(state).toBe('running')
  expect(await open('crosscheck_stopped')).toEqual([])
  await reader.stop()
  await expect.poll(() => dropCrosscheckSlot(source.database).catch(() => false)).not.toBe(false)
})

/** A million, the least that the setting takes. */
const IDS = 1_050_000

test('transaction_age: ids are used and never frozen, until somebody freezes them', async () => {
  await set('alarm.transaction_age_millions', 1)
  await cluster.sql('vacuum (freeze)')
  expect(await open('transaction_age')).toEqual([])
  // One subtransaction that writes takes one id.
  await cluster.sql(`
    create temporary table used (n integer);
    do $$ begin
      for i in 1..${IDS} loop
        begin insert into used values (i); exception when division_by_zero then null; end;
      end loop;
    end $$`)
  expect(await open('transaction_age')).toEqual([
    expect.stringMatching(/^: the oldest transaction id is \d+ million transactions old$/),
  ])
  await cluster.sql('vacuum (freeze)')
  expect(await open('transaction_age')).toEqual([])
})

test('everything could be looked at', () => {
  expect(log.lines.filter((line) => JSON.stringify(line).includes('could not be checked'))).toEqual([])
})
