import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  openEpoch,
  openEpochsWhereNeeded,
  publishCheckpoints,
  publishedNotes,
  type VerifyMode,
  type VerifyReport,
} from '../../src/audit/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { tamperWith } from '../support/tamper.ts'

const database = testDatabase()
const worker = database.open('worker')
const app = database.open('app')
const ledger = testLedger(worker)

let folder = ''
let store: ObjectStore

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-epochs-'))
  store = await openObjectStore(pathToFileURL(join(folder, 'objects')).href)
  await database.asSuperuser((session) =>
    session.query(
      "create table shop (id int primary key, price numeric); grant insert on shop to akashi_app; select akashi_audit.protect('shop')",
    ),
  )
  await write(1, 20)
  await publishCheckpoints(worker, tester, store)
})

afterAll(() => rm(folder, { recursive: true, force: true }))

async function write(from: number, to: number): Promise<void> {
  await database.asSuperuser((session) =>
    session.query('insert into shop select i, i from generate_series($1::integer, $2::integer) i', [
      from,
      to,
    ]),
  )
  await ledger.seal()
}

const verify = (mode: VerifyMode & ('full' | 'incremental') = 'full') =>
  ledger.verify({ mode, published: (log, from) => publishedNotes(store, log, from) })

const details = (report: VerifyReport) =>
  report.logs.flatMap(({ problems }) => problems.map(({ kind, detail }) => `${kind}: ${detail}`))

async function trailHead(): Promise<{ epoch: number; origin: string; size: bigint }> {
  const { rows } = await worker.transaction(tester, (session) =>
    session.query<{ epoch: number; origin: string; size: bigint }>(
      "select epoch, origin, size from akashi_audit.ledger_heads where log = 'audit_logs'",
    ),
  )
  const [head] = rows
  if (head === undefined) throw new Error('the trail has no head')
  return head
}

/** What an older copy of the database would be: rows, entries, tiles, head and kept checkpoints as they were. */
async function remember(): Promise<void> {
  await database.asSuperuser((session) =>
    session.query(`drop schema if exists older cascade; create schema older;
      create table older.shop as table shop;
      create table older.audit_logs as table akashi_audit.audit_logs; create table older.ledger_entries as table akashi_audit.ledger_entries;
      create table older.ledger_tiles as table akashi_audit.ledger_tiles; create table older.ledger_heads as table akashi_audit.ledger_heads;
      create table older.ledger_checkpoints as table akashi_audit.ledger_checkpoints`),
  )
}

async function putBack(): Promise<void> {
  await tamperWith(database, async (session) => {
    // In the role of a replica only triggers that always fire do, and these are the trail's.
    await session.query(
      'alter table shop disable trigger user; delete from shop; insert into shop table older.shop',
    )
    for (const table of [
      'audit_logs',
      'ledger_entries',
      'ledger_tiles',
      'ledger_heads',
      'ledger_checkpoints',
    ]) {
      await session.query(
        `delete from akashi_audit.${table} where ${table === 'audit_logs' ? 'true' : "log = 'audit_logs'"}`,
      )
      await session.query(
        `insert into akashi_audit.${table} select * from older.${table} where ${table === 'audit_logs' ? 'true' : "log = 'audit_logs'"}`,
      )
    }
    for (const event of ['insert', 'update', 'delete', 'truncate']) {
      await session.query(`alter table shop enable always trigger akashi_audit_${event}`)
    }
  })
}

describe('a database that continues its published history', () => {
  it('stays in its epoch', async () => {
    expect((await openEpochsWhereNeeded(worker, tester, ledger.keyring, store)).opened).toEqual([])
    expect(await trailHead()).toMatchObject({ epoch: 1 })
  })
})

describe('a database restored to an earlier state', () => {
  let published = 0n

  it('opens an epoch and raises an alarm when more entries were published than it has', async () => {
    await remember()
    await write(21, 50)
    await publishCheckpoints(worker, tester, store)
    published = (await trailHead()).size
    await putBack()
    const old = await trailHead()
    expect(details(await verify())).toEqual([expect.stringContaining('its end was cut off')])
    const { opened } = await openEpochsWhereNeeded(worker, tester, ledger.keyring, store)
    expect(opened).toMatchObject([
      { log: 'audit_logs', epoch: 2, cause: 'older', previousSize: published, commonSize: old.size },
    ])
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ severity: string; lost: string }>(
        "select severity, event_details ->> 'lost' as lost from akashi_security.security_events where event_type = 'ledger_epoch_opened'",
      ),
    )
    expect(rows).toEqual([{ severity: 'critical', lost: String(published - old.size) }])
    expect(await trailHead()).toMatchObject({ epoch: 2 })
    expect((await trailHead()).origin).not.toBe(old.origin)
    expect((await openEpochsWhereNeeded(worker, tester, ledger.keyring, store)).opened).toEqual([])
  })

  it('continues to seal and publish, and still reports the lost entries', async () => {
    await write(21, 60)
    expect((await publishCheckpoints(worker, tester, store)).map(({ log }) => log)).toContain('audit_logs')
    const report = await verify()
    expect(details(report)).toEqual([expect.stringMatching(/checkpoint: epoch 2 lost \d+ published entries/)])
  })

  it('verifies after an administrator opened an epoch', async () => {
    const [opened] = await openEpoch(
      worker,
      tester,
      ledger.keyring,
      store,
      'accepted: restored from the backup of Monday',
    )
    expect(opened).toMatchObject({ epoch: 3, cause: 'ordered' })
    expect(opened?.commonSize).toBe(opened?.size)
    expect(details(await verify())).toEqual([])
    await write(61, 70)
    await publishCheckpoints(worker, tester, store)
    expect(details(await verify())).toEqual([])
    expect(details(await verify('incremental'))).toEqual([])
    expect((await openEpochsWhereNeeded(worker, tester, ledger.keyring, store)).opened).toEqual([])
  })

  it('is detected again when it is restored to a state before an epoch', async () => {
    await putBack()
    await tamperWith(database, async (session) => {
      await session.query('create table older.epochs as table akashi_audit.ledger_epochs')
      await session.query("delete from akashi_audit.ledger_epochs where log = 'audit_logs'")
    })
    expect(details(await verify()).join()).toContain(
      'an epoch was published that this database does not have',
    )
    const {
      opened: [opened],
    } = await openEpochsWhereNeeded(worker, tester, ledger.keyring, store)
    expect(opened).toMatchObject({ epoch: 2, cause: 'older' })
    expect(opened?.givenUp).toHaveLength(2)
    expect(opened?.commonSize).toBe(opened?.size)
    expect((await openEpochsWhereNeeded(worker, tester, ledger.keyring, store)).opened).toEqual([])
    await openEpoch(worker, tester, ledger.keyring, store, 'accepted')
    await write(100, 105)
    await publishCheckpoints(worker, tester, store)
    expect(details(await verify())).toEqual([])
  })
})

describe('a database whose history was rewritten', () => {
  it('opens an epoch when another checkpoint of its size was published', async () => {
    await remember()
    await write(200, 209)
    await publishCheckpoints(worker, tester, store)
    const { size } = await trailHead()
    await putBack()
    await write(300, 309)
    expect((await trailHead()).size).toBe(size)
    await expect(publishCheckpoints(worker, tester, store)).rejects.toMatchObject({ code: 'integrity' })
    const {
      opened: [opened],
    } = await openEpochsWhereNeeded(worker, tester, ledger.keyring, store)
    expect(opened).toMatchObject({ cause: 'conflict', previousSize: size, commonSize: size - 10n })
    expect(details(await verify())).toEqual([expect.stringContaining('lost 10 published entries')])
    await openEpoch(worker, tester, ledger.keyring, store, 'accepted')
    await publishCheckpoints(worker, tester, store)
    expect(details(await verify())).toEqual([])
  })

  it('is detected where a row of the shared history was changed, also after an epoch was accepted', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ id: string; action: string }>(
        "select id, action from akashi_audit.audit_logs where table_name = 'shop' order by xid, seq limit 1",
      ),
    )
    const [row] = rows
    await tamperWith(database, (session) =>
      session.query("update akashi_audit.audit_logs set action = 'forged' where id = $1", [row?.id]),
    )
    await openEpoch(worker, tester, ledger.keyring, store, 'accepted')
    expect(details(await verify())).toEqual([expect.stringContaining(`changed: row ${row?.id}`)])
    await tamperWith(database, (session) =>
      session.query('update akashi_audit.audit_logs set action = $2 where id = $1', [row?.id, row?.action]),
    )
    expect(details(await verify())).toEqual([])
  })
})

describe('the chain of epochs', () => {
  it.each([
    [
      'is changed',
      "update akashi_audit.ledger_epochs set common_size = common_size - 1 where log = 'audit_logs' and epoch = 2",
      'it is not what was signed',
    ],
    [
      'has another reason',
      "update akashi_audit.ledger_epochs set reason = 'x' where log = 'audit_logs' and epoch = 3",
      'it is not what was signed',
    ],
    [
      'is gone',
      "delete from akashi_audit.ledger_epochs where log = 'audit_logs' and epoch = 3",
      'it does not continue the previous epoch',
    ],
    [
      'is gone at the end',
      "delete from akashi_audit.ledger_epochs where log = 'audit_logs' and epoch = (select max(epoch) from akashi_audit.ledger_epochs)",
      'no link leads to epoch',
    ],
  ])('is found broken when a link %s', async (_, change, why) => {
    await tamperWith(database, async (session) => {
      await session.query('create table public.links as table akashi_audit.ledger_epochs')
      await session.query(change)
    })
    const found = details(await verify())
    await tamperWith(database, (session) =>
      session.query(
        'delete from akashi_audit.ledger_epochs; insert into akashi_audit.ledger_epochs table public.links; drop table public.links',
      ),
    )
    expect(found.join()).toContain(why)
    expect(details(await verify())).toEqual([])
  })

  it('seals rows of transactions that were open while an epoch was opened, once', async () => {
    const before = await trailHead()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const writer = app.transaction(tester, async (session) => {
      await session.query('insert into public.shop values (1000, 1)')
      await held
    })
    const writers = Array.from({ length: 20 }, (_, i) =>
      app.transaction(tester, (session) =>
        session.query('insert into public.shop values ($1, 1)', [2000 + i]),
      ),
    )
    const opening = openEpoch(worker, tester, ledger.keyring, store, 'while writers write')
    release()
    await Promise.all([writer, ...writers, opening])
    await ledger.seal()
    const { rows } = await worker.transaction(tester, (session) =>
      session.query<{ rows: number; entries: number }>(
        `select (select count(*)::integer from akashi_audit.audit_logs) as rows,
                (select count(*)::integer from akashi_audit.ledger_entries where log = 'audit_logs') as entries`,
      ),
    )
    expect(rows[0]?.entries).toBe(rows[0]?.rows)
    expect((await trailHead()).size).toBe(before.size + 21n)
    expect(details(await verify())).toEqual([])
  })

  it('refuses an epoch without a reason', async () => {
    await expect(openEpoch(worker, tester, ledger.keyring, store, ' ')).rejects.toMatchObject({
      code: 'invalid_input',
    })
    await expect(openEpoch(worker, tester, ledger.keyring, store, 'a\nb')).rejects.toMatchObject({
      code: 'invalid_input',
    })
  })
})
