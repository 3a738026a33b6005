import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  countPending,
  logs,
  type Problem,
  readHead,
  seal,
  verifierKeys,
  verify,
} from '../../src/audit/index.ts'
import { AkashiError } from '../../src/foundation/index.ts'
import { type Keyring, openKeyring } from '../../src/keys/index.ts'
import {
  type Database,
  type EmbeddedServer,
  migrateUp,
  openDatabase,
  startEmbedded,
} from '../../src/postgres/index.ts'
import { reachableFolder, removeDataDir } from '../support/embedded.ts'
import { freePort } from '../support/local-server.ts'
import { random } from '../support/random.ts'
import { MIGRATIONS } from '../support/settings.ts'
import { tester } from '../support/tester.ts'

/** AKASHI_LONG=1 runs as many transactions as the design asks for; CONTRIBUTING tells how long that takes. */
const LONG = process.env['AKASHI_LONG'] === '1'
const TRANSACTIONS = LONG ? 100_000 : 5_000
const WRITERS = 12
const SERVER_KILLS = LONG ? 6 : 1
const SEALER_LIFE_MS = LONG ? 3_000 : 700
/** A sealer that has not begun after this long is killed all the same. */
const BEGIN_MS = 20_000
const VERIFY_EVERY_MS = LONG ? 20_000 : 1_000
const TIMEOUT_MS = LONG ? 1_800_000 : 120_000

const SETTINGS = { fsync: 'off', max_prepared_transactions: '60', max_connections: '60' }
const SEED = 20261121
const HOT_ROWS = 8
/** Ids that one transaction may use. */
const IDS_A_TRANSACTION = 200
const IDS_A_WRITER = 1_000_000_000

/** One transaction as one message. `earlier` is an id that this writer may have used before. */
function transactionText(kind: number, id: number, earlier: number, hot: number, gid: string): string {
  const insert = (n: number) => `insert into public.work (id) values (${n});`
  const update = (n: number) => `update public.work set version = version + 1 where id = ${n};`
  switch (kind) {
    case 0:
      return `begin; ${insert(id)} ${update(id)} commit`
    case 1:
      return `begin; ${insert(id)} ${update(earlier)} rollback`
    case 2:
      return `begin; ${insert(id)} savepoint a; ${insert(id + 1)} ${update(id)} rollback to a; ${insert(id + 2)} savepoint b; ${insert(id + 3)} release b; commit`
    case 3:
    case 4:
      return `begin; ${insert(id)} ${insert(id + 1)} prepare transaction '${gid}'`
    case 5:
      return `begin; set local synchronous_commit = off; ${insert(id)} ${update(earlier)} commit`
    case 6:
      return `begin; delete from public.work where id = ${earlier}; ${insert(id)} commit`
    case 7:
      return `insert into public.work (id) select ${id} + i from generate_series(0, 119) i`
    case 8:
      return `do $$ begin ${insert(id)} begin ${update(id)} perform 1 / 0; exception when division_by_zero then ${insert(id + 1)} end; end $$`
    default:
      return `begin; update public.work set version = version + 1 where id = ${-1 - hot}; ${insert(id)} commit`
  }
}

const KINDS = 10
const PREPARED_KINDS = [3, 4]
/** Prepared transactions that a writer leaves open. */
const PREPARED_AT_ONCE = 2

let dataDir = ''
let keysFolder = ''
let keyring: Keyring
let server: EmbeddedServer
let worker: Database
let port = 0

const administrator = () => openDatabase({ url: server.url('postgres'), role: 'owner' })

async function ask<R>(text: string): Promise<R[]> {
  const database = administrator()
  try {
    return await database.direct(
      async (session) => {
        await session.query('set search_path = public')
        return (await session.query<R>(text)).rows
      },
      { timeoutMs: 0 },
    )
  } finally {
    await database.close()
  }
}

function workerUrl(): string {
  const url = new URL(server.url('postgres'))
  url.username = 'akashi_worker'
  url.password = 'test-worker'
  return url.href
}

/** Whether an error says no more than that the server went away under it. */
function isAway(error: unknown): boolean {
  // A process that helped with a query may be gone before the one that asked for it.
  if (
    error instanceof AkashiError &&
    error.cause instanceof Error &&
    /parallel worker/.test(error.cause.message)
  )
    return true
  if (error instanceof AkashiError) return ['unavailable', 'timeout'].includes(error.code)
  return error instanceof Error && /connection error|Connection terminated/.test(error.message)
}

beforeAll(async () => {
  dataDir = await reachableFolder()
  keysFolder = await mkdtemp(join(tmpdir(), 'akashi-keys-'))
  keyring = await openKeyring(`file:${join(keysFolder, 'keys')}`)
  port = await freePort()
  server = await startEmbedded({ dataDir, port, settings: SETTINGS })
  await migrateUp({ url: server.url('postgres'), directory: MIGRATIONS })
  await ask(`alter role akashi_worker password 'test-worker';
    create table public.work (id bigint primary key, version integer not null default 0);
    select akashi_audit.protect('public.work');
    insert into public.work select -i from generate_series(1, ${HOT_ROWS}) i`)
  worker = openDatabase({ url: workerUrl(), role: 'worker', poolSize: 3 })
})

afterAll(async () => {
  await worker?.close()
  await keyring?.close()
  await server?.stop()
  await removeDataDir(dataDir)
  await rm(keysFolder, { recursive: true, force: true })
})

/** Sends transactions until the common number is done; reconnects when the server was killed. */
async function write(writer: number, next: () => number | undefined): Promise<void> {
  const choose = random(SEED + writer)
  let id = writer * IDS_A_WRITER
  let prepared: { gid: string; commit: boolean }[] = []
  let transaction = next()
  while (transaction !== undefined) {
    const database = administrator()
    try {
      await database.direct(async (session) => {
        for (; transaction !== undefined; transaction = next()) {
          id += IDS_A_TRANSACTION
          const kind = Math.floor(choose() * KINDS)
          const earlier = id - IDS_A_TRANSACTION * (1 + Math.floor(choose() * 20))
          const gid = `w${writer}-${transaction}`
          await session.query(transactionText(kind, id, earlier, Math.floor(choose() * HOT_ROWS), gid))
          if (PREPARED_KINDS.includes(kind)) prepared.push({ gid, commit: kind === 3 })
          // They stay open for a while, and hold the frontier; nothing waits for a row that nobody else sees.
          if (prepared.length > PREPARED_AT_ONCE) {
            const [oldest] = prepared
            prepared = prepared.slice(1)
            await session.query(
              `${oldest?.commit === true ? 'commit' : 'rollback'} prepared '${oldest?.gid}'`,
            )
          }
        }
      })
    } catch (error) {
      if (!isAway(error)) throw error
      // What is prepared now is settled at the end.
      prepared = []
      transaction = next()
      await sleep(50)
    } finally {
      await database.close()
    }
  }
}

function startSealer(): ChildProcessByStdio<null, Readable, null> {
  return spawn(
    process.execPath,
    [
      join(import.meta.dirname, '../support/sealer-child.ts'),
      workerUrl(),
      `file:${join(keysFolder, 'keys')}`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
}

describe('the trail and the ledger', () => {
  it('contain every change once, although sealers and the server are killed', {
    timeout: TIMEOUT_MS,
  }, async () => {
    let sent = 0
    let done = false
    const next = () => {
      if (sent === TRANSACTIONS) return undefined
      sent += 1
      return sent
    }
    const begun = performance.now()

    let sealersKilled = 0
    const sealing = (async () => {
      while (!done) {
        const sealer = startSealer()
        const exited = once(sealer, 'exit')
        // Its life begins when it begins to seal: on a busy machine it takes seconds to get there.
        await Promise.race([once(sealer.stdout, 'data'), exited, sleep(BEGIN_MS)])
        await sleep(SEALER_LIFE_MS)
        sealer.kill('SIGKILL')
        await exited
        sealersKilled += 1
      }
    })()

    let serversKilled = 0
    const killing = (async () => {
      for (let kill = 1; kill <= SERVER_KILLS; kill += 1) {
        const at = (TRANSACTIONS * kill) / (SERVER_KILLS + 1)
        while (sent < at && !done) await sleep(20)
        if (done) return
        process.kill(server.pid, 'SIGKILL')
        await server.exited
        server = await startEmbedded({ dataDir, port, settings: SETTINGS })
        serversKilled += 1
      }
    })()

    const reported: Problem[] = []
    let verifications = 0
    const verifying = (async () => {
      while (!done) {
        await sleep(VERIFY_EVERY_MS)
        try {
          const report = await verify(worker, tester, { verifierKeys: verifierKeys(keyring) })
          verifications += 1
          reported.push(...report.logs.flatMap((log) => log.problems))
        } catch (error) {
          if (!isAway(error)) throw error
        }
      }
    })()

    try {
      await Promise.all([...Array.from({ length: WRITERS }, (_, i) => write(i + 1, next)), killing])
    } finally {
      done = true
      await Promise.allSettled([sealing, verifying, killing])
    }
    await Promise.all([sealing, verifying])
    const seconds = (performance.now() - begun) / 1000

    // Whatever was prepared when the server died: every second one is committed.
    const left = await ask<{ gid: string }>('select gid from pg_prepared_xacts order by gid')
    for (const [i, { gid }] of left.entries()) {
      await ask(`${i % 2 === 0 ? 'commit' : 'rollback'} prepared '${gid}'`)
    }
    for (const log of logs) await seal(worker, tester, keyring, log)

    const [wrong] = await ask<Record<string, number>>(wrongRecords)
    const [counted] = await ask<Record<string, number>>(counts)
    const pending = await worker.transaction(tester, async (session) => {
      let waiting = 0
      for (const log of logs) waiting += await countPending(session, log, await readHead(session, log.log))
      return waiting
    })
    const final = await verify(worker, tester, { verifierKeys: verifierKeys(keyring) })
    process.stdout.write(
      `completeness: ${sent} transactions in ${seconds.toFixed(0)} s, ${counted?.['rows']} rows, ${sealersKilled} sealers and ${serversKilled} servers killed, ` +
        `${left.length} prepared transactions found after them, ${verifications} verifications meanwhile\n`,
    )
    expect(wrong).toEqual({ records: 0 })
    expect(pending).toBe(0)
    expect(counted).toMatchObject({
      entries: counted?.['rows'],
      distinct_rows: counted?.['rows'],
      without_row: 0,
      wrong_positions: 0,
    })
    expect(counted?.['rows']).toBeGreaterThan(TRANSACTIONS)
    expect(reported).toEqual([])
    expect(final.logs.flatMap((log) => log.problems)).toEqual([])
    expect(serversKilled).toBe(SERVER_KILLS)
    expect(sealersKilled).toBeGreaterThan(0)
    expect(verifications).toBeGreaterThan(0)
  })
})

/**
 * The table is the witness: each record counts its own changes, so its trail must be one INSERT, an UPDATE to each
 * version up to the one it has, and a DELETE if it is gone. Anything missed, doubled or made up is a wrong record.
 */
const wrongRecords = `
  with steps as (
    select record_id, operation, (coalesce(new_values, old_values) ->> 'version')::int as version
    from akashi_audit.audit_logs where table_name = 'work'
  ), record as (
    select record_id, count(*) filter (where operation = 'INSERT' and version = 0) as inserts,
           count(*) filter (where operation = 'UPDATE') as updates,
           count(distinct version) filter (where operation = 'UPDATE') as versions,
           count(*) filter (where operation = 'DELETE') as deletes, max(version) as last, count(*) as steps
    from steps group by record_id
  )
  select count(*)::int as records from record r full join public.work w on w.id::text = r.record_id
  where r.record_id is null or r.inserts <> 1 or r.updates <> r.versions or r.updates <> r.last
     or r.steps <> r.inserts + r.updates + r.deletes or r.deletes <> case when w.id is null then 1 else 0 end
     or w.version <> r.last`

const counts = `
  select (select count(*)::int from akashi_audit.audit_logs) as rows,
         (select count(*)::int from akashi_audit.ledger_entries where log = 'audit_logs') as entries,
         (select count(distinct row_id)::int from akashi_audit.ledger_entries where log = 'audit_logs') as distinct_rows,
         (select count(*)::int from akashi_audit.ledger_entries e left join akashi_audit.audit_logs r on r.id = e.row_id
          where e.log = 'audit_logs' and r.id is null) as without_row,
         (select count(*)::int from (select position, row_number() over (order by position) - 1 as place
          from akashi_audit.ledger_entries where log = 'audit_logs') p where position <> place) as wrong_positions`
