import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  auditLogs,
  countPending,
  logs,
  openEpoch,
  openEpochsWhereNeeded,
  publishCheckpoints,
  publishedNotes,
  readHead,
  recordCatalog,
  seal,
  verifierKeys,
  verify,
} from '../../src/audit/index.ts'
import { type Keyring, openKeyring } from '../../src/keys/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import {
  type Database,
  type EmbeddedServer,
  migrateUp,
  openDatabase,
  startEmbedded,
} from '../../src/postgres/index.ts'
import { FAST, reachableFolder, removeDataDir } from '../support/embedded.ts'
import { MIGRATIONS, tester } from '../support/index.ts'

/** Transactions that the first cluster is ahead of the second, whose numbers so lie below the sealed ones. */
const TRANSACTIONS_AHEAD = 3_000

/** So many that a statement takes its numbers for all of them at once. */
const SHOP_ROWS = 80

let folder = ''
let keyring: Keyring
let store: ObjectStore

beforeAll(async () => {
  folder = await reachableFolder()
  keyring = await openKeyring(pathToFileURL(join(folder, 'keys')).href)
})

// Each test has an installation of its own.
beforeEach(async () => {
  store = await openObjectStore(pathToFileURL(join(folder, `objects-${randomUUID()}`)).href)
})

afterAll(async () => {
  await keyring.close()
  await rm(folder, { recursive: true, force: true })
})

interface Running {
  readonly server: EmbeddedServer
  readonly admin: Database
  readonly worker: Database
  stop(): Promise<void>
}

async function start(dataDir: string): Promise<Running> {
  const server = await startEmbedded({ dataDir, port: 0, settings: FAST })
  const url = server.url('postgres')
  await migrateUp({ url, directory: MIGRATIONS })
  const admin = openDatabase({ url, role: 'owner' })
  await admin.direct((session) => session.query("alter role akashi_worker password 'worker'"))
  const own = new URL(url)
  own.username = 'akashi_worker'
  own.password = 'worker'
  const worker = openDatabase({ url: own.href, role: 'worker' })
  return {
    server,
    admin,
    worker,
    stop: async () => {
      await worker.close()
      await admin.close()
      await server.stop()
    },
  }
}

async function sealAll({ worker }: Running): Promise<void> {
  for (const log of logs) await seal(worker, tester, keyring, log)
}

async function change({ admin }: Running, statement: string): Promise<void> {
  await admin.direct((session) => session.query(statement))
}

const details = async ({ worker }: Running) =>
  (
    await verify(worker, tester, {
      verifierKeys: verifierKeys(keyring),
      published: (log, from) => publishedNotes(store, log, from),
    })
  ).logs.flatMap(({ problems }) => problems.map(({ kind, detail }) => `${kind}: ${detail}`))

const head = ({ worker }: Running) =>
  worker.transaction(tester, (session) => readHead(session, auditLogs.log))

async function shop(running: Running): Promise<void> {
  await change(
    running,
    `create table public.shop (id int primary key, price numeric); select akashi_audit.protect('public.shop'); insert into public.shop select i, i from generate_series(1, ${SHOP_ROWS}) i`,
  )
}

describe('a logical restore', () => {
  it('continues in a new epoch, although transaction numbers start again', async () => {
    const first = await start(join(folder, 'first'))
    const second = await start(join(folder, 'second'))
    try {
      await shop(first)
      await change(
        first,
        `do $$ begin for i in 1..${TRANSACTIONS_AHEAD} loop perform pg_current_xact_id(); commit; end loop; end $$`,
      )
      await change(first, 'update public.shop set price = price + 1')
      await sealAll(first)
      await publishCheckpoints(first.worker, tester, store)
      // Committed, and not yet sealed when the copy is made.
      await change(first, 'update public.shop set price = price + 1 where id <= 10')
      await copyTables(first, second)
      await change(
        second,
        "create table public.shop (id int primary key); select akashi_audit.protect('public.shop'); insert into public.shop values (1)",
      )
      await expect(sealAll(second)).rejects.toMatchObject({ code: 'conflict' })
      const { opened } = await openEpochsWhereNeeded(second.worker, tester, keyring, store)
      expect(opened.find(({ log }) => log === 'audit_logs')).toMatchObject({ epoch: 2, cause: 'moved' })
      expect([...new Set((await details(second)).map((detail) => detail.split(':')[0]))]).toEqual(['catalog'])
      await recordCatalog(second.admin, tester, 'restored from a dump')
      expect(await details(second)).toEqual([])
      await sealAll(second)

      await change(second, 'insert into public.shop select i from generate_series(2, 20) i')
      const before = await head(second)
      await sealAll(second)
      expect((await head(second))?.size).toBe((before?.size ?? 0n) + 19n)
      await sealAll(second)
      const { rows } = await second.worker.transaction(tester, (session) =>
        session.query<{ rows: number; entries: number; distinct: number }>(
          `select (select count(*)::integer from akashi_audit.audit_logs) as rows, count(*)::integer as entries,
                  count(distinct row_id)::integer as distinct from akashi_audit.ledger_entries where log = 'audit_logs'`,
        ),
      )
      expect(rows[0]).toMatchObject({ entries: rows[0]?.rows, distinct: rows[0]?.rows })
      expect(
        await second.worker.transaction(tester, async (session) =>
          countPending(session, auditLogs, await readHead(session, auditLogs.log)),
        ),
      ).toBe(0)
      await publishCheckpoints(second.worker, tester, store)
      expect(await details(second)).toEqual([])
    } finally {
      await first.stop()
      await second.stop()
      await removeDataDir(join(folder, 'first'))
      await removeDataDir(join(folder, 'second'))
    }
  })
})

/** What a dump and restore brings: the rows of the trail and of the ledger, and where the sequences stand. */
async function copyTables(from: Running, to: Running): Promise<void> {
  const tables = [
    'akashi_audit.audit_logs',
    'akashi_security.security_events',
    'akashi_audit.catalog_records',
    'akashi_audit.ledger_entries',
    'akashi_audit.ledger_tiles',
    'akashi_audit.ledger_heads',
    'akashi_audit.ledger_checkpoints',
    'akashi_audit.verified_heads',
  ]
  await to.admin.direct(async (target) => {
    await target.query('set session_replication_role = replica')
    await target.query(
      `do $$ declare t text; begin for t in select tgrelid::regclass from pg_trigger where tgname in ('refuse_change') loop
         execute format('alter table %s disable trigger refuse_change', t); end loop; end $$`,
    )
    await from.admin.direct(async (source) => {
      for (const table of tables) {
        await target.query(`delete from ${table}`)
        await pipeline(
          source.copyTo(`copy (select * from ${table}) to stdout`),
          target.copyFrom(`copy ${table} from stdin`),
        )
      }
      for (const sequence of [
        'akashi_audit.audit_logs_seq',
        'akashi_audit.catalog_records_number_seq',
        'akashi_security.security_events_seq',
      ]) {
        const { rows } = await source.query<{ last: string }>(
          `select last_value::text as last from ${sequence}`,
        )
        await target.query(`select setval('${sequence}', $1)`, [rows[0]?.last])
      }
      const { rows } = await source.query<{ value: string }>(
        "select value::text from akashi_lifecycle.settings where key = 'ledger.origin'",
      )
      await target.query("update akashi_lifecycle.settings set value = $1 where key = 'ledger.origin'", [
        rows[0]?.value,
      ])
    })
    await target.query(
      `do $$ declare t text; begin for t in select tgrelid::regclass from pg_trigger where tgname in ('refuse_change') loop
         execute format('alter table %s enable always trigger refuse_change', t); end loop; end $$`,
    )
  })
}

describe('a physical restore', () => {
  it('opens a new epoch when an older data folder is restored, and verifies after an administrator opened one', async () => {
    const place = join(folder, 'physical')
    const dataDir = join(place, 'data')
    let running = await start(dataDir)
    try {
      await shop(running)
      await sealAll(running)
      await publishCheckpoints(running.worker, tester, store)
      await running.stop()
      // The cluster of a server that root started lies elsewhere and belongs to another account: copied as it is.
      expect(spawnSync('cp', ['-a', place, `${place}-older`]).status).toBe(0)

      running = await start(dataDir)
      await change(running, 'update public.shop set price = price + 1')
      await sealAll(running)
      await publishCheckpoints(running.worker, tester, store)
      expect(await details(running)).toEqual([])
      const lost = await head(running)
      await running.stop()

      await rename(place, `${place}-newer`)
      await rename(`${place}-older`, place)
      running = await start(dataDir)
      expect((await details(running)).join()).toContain('its end was cut off')
      const { opened } = await openEpochsWhereNeeded(running.worker, tester, keyring, store)
      expect(opened.find(({ log }) => log === 'audit_logs')).toMatchObject({
        cause: 'older',
        previousSize: lost?.size,
        commonSize: (lost?.size ?? 0n) - BigInt(SHOP_ROWS),
      })
      expect((await details(running)).join()).toContain(`lost ${SHOP_ROWS} published entries`)
      await openEpoch(running.worker, tester, keyring, store, 'restored to Monday')
      await change(running, 'delete from public.shop')
      await sealAll(running)
      await publishCheckpoints(running.worker, tester, store)
      expect(await details(running)).toEqual([])
    } finally {
      await running.stop()
      await removeDataDir(dataDir)
    }
  })
})
