/**
 * The locks of a server are few, and a statement over a partitioned table takes one for each partition and each of its
 * indexes: as many partitions as are allowed leave room for everything that reads all of them.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  auditLogs,
  checkTable,
  countPending,
  logs,
  publishCheckpoints,
  readHead,
  scrub,
  seal,
  sealedRows,
  securityEvents,
  verifierKeys,
  verify,
} from '../../src/audit/index.ts'
import { type Keyring, openKeyring } from '../../src/keys/index.ts'
import { applyPartitions, partitionStatus, planArchive, planPartitions } from '../../src/lifecycle/index.ts'
import { openObjectStore } from '../../src/object-store/index.ts'
import {
  type Database,
  type EmbeddedServer,
  migrateUp,
  openDatabase,
  startEmbedded,
} from '../../src/postgres/index.ts'
import { ask, FAST, reachableFolder, removeDataDir } from '../support/embedded.ts'
import { MIGRATIONS, tester } from '../support/index.ts'

/** AKASHI_LONG=1: six years of daily ones and twenty of monthly ones, on a server that is configured as the embedded one. */
const LONG = process.env['AKASHI_LONG'] === '1'
const PARTITIONS = { day: 2_500, month: 250 } as const
/** PostgreSQL's own default of locks, and few connections, whose locks all sessions share. */
const SETTINGS = LONG ? FAST : { ...FAST, max_locks_per_transaction: '64', max_connections: '15' }
const AT_ONCE = 20
const ROUNDS = LONG ? 3 : 1
const TIMEOUT_MS = LONG ? 3_600_000 : 300_000

let folder = ''
let server: EmbeddedServer
let keyring: Keyring
let worker: Database
let owner: Database
let url = ''

beforeAll(async () => {
  folder = await reachableFolder()
  server = await startEmbedded({ dataDir: join(folder, 'data'), port: 0, settings: SETTINGS })
  url = server.url('postgres')
  await migrateUp({ url, directory: MIGRATIONS })
  keyring = await openKeyring(pathToFileURL(join(folder, 'keys')).href)
  worker = openDatabase({ url, role: 'worker', poolSize: 4 })
  owner = openDatabase({ url, role: 'owner', poolSize: 2 })
}, TIMEOUT_MS)

afterAll(async () => {
  await worker?.close()
  await owner?.close()
  await keyring?.close()
  await server?.stop()
  await removeDataDir(join(folder, 'data'))
})

/** As many partitions as the server allows, or {@link PARTITIONS}, from now back. */
async function fill(table: string, interval: 'day' | 'month'): Promise<number> {
  const [row] = await ask<{ most: number; now: number }>(
    url,
    `select akashi_lifecycle.max_partitions('${table}') as most, (select count(*)::integer from pg_inherits where inhparent = '${table}'::regclass) as now`,
  )
  const wanted = LONG ? PARTITIONS[interval] : Number(row?.most)
  for (let made = row?.now ?? 0, back = 2; made < wanted; ) {
    const some = Math.min(AT_ONCE, wanted - made)
    const [{ n } = { n: 0 }] = await ask<{ n: number }>(
      url,
      `select akashi_lifecycle.create_partitions('${table}', array(
         select now() - g * interval '1 ${interval}' from generate_series(${back}, ${back + some - 1}) g)) as n`,
    )
    made += n
    back += some
  }
  return wanted
}

it('leave room for whatever reads all of them, also at once', { timeout: TIMEOUT_MS }, async () => {
  await fill('akashi_audit.audit_logs', 'month')
  await fill('akashi_security.security_events', 'day')
  await ask(
    url,
    `create table public.parted (id int, n int, v text, primary key (id, n)) partition by range (n);
     do $do$ begin for g in 0..99 loop execute format('create table public.parted_%s partition of public.parted for values from (%s) to (%s)', g, g, g + 1); end loop; end $do$;
     select akashi_audit.protect('public.parted');
     insert into public.parted select g, g % 100, 'v' from generate_series(1, 300) g`,
  )
  const store = await openObjectStore(pathToFileURL(join(folder, 'objects')).href)
  const sealAll = async () => {
    for (const log of logs) await seal(worker, tester, keyring, log)
  }
  await sealAll()
  const keys = { verifierKeys: verifierKeys(keyring) }
  for (let round = 0; round < ROUNDS; round += 1) {
    await ask(url, "update public.parted set v = v || '.'")
    const [, full, part] = await Promise.all([
      sealAll(),
      verify(worker, tester, keys),
      scrub(worker, tester, keys),
      publishCheckpoints(worker, tester, store),
      checkTable(owner, worker, tester, { schema: 'public', table: 'parted' }),
      planPartitions(worker, tester),
    ])
    expect(full.logs.flatMap(({ problems }) => problems)).toEqual([])
    expect(part.logs.flatMap(({ problems }) => problems)).toEqual([])
  }
  await sealAll()
  expect(
    await worker.transaction(tester, async (session) =>
      countPending(session, auditLogs, await readHead(session, auditLogs.log)),
    ),
  ).toBe(0)
  for (const log of [auditLogs, securityEvents]) {
    const rows: unknown[] = []
    for await (const row of sealedRows(worker, tester, log, { from: 0n, to: 100n })) rows.push(row)
  }
  const made = await applyPartitions(worker, tester)
  expect(made.filter(({ action }) => action === 'failed')).toEqual([])
  expect(await partitionStatus(worker, tester)).not.toEqual([])
  await planArchive(worker, tester, { only: 'export' })
})
