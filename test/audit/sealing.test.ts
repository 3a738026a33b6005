import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  auditLogs,
  LogSealer,
  openEpoch,
  openEpochsWhereNeeded,
  readHead,
  type SealedBatch,
  standingAlarms,
  watchSealing,
} from '../../src/audit/index.ts'
import { commitDurably } from '../../src/audit/ledger/store.ts'
import { SEAL_BATCH_BYTES } from '../../src/audit/ledger/waiting-rows.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { type Loop, sealLoop } from '../../src/operations/index.ts'
import { keepingLog } from '../operations/keeping-log.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { tamperWith } from '../support/tamper.ts'

const PATIENCE = { timeout: 60_000, interval: 100 }

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
let folder = ''
let store: ObjectStore
const loops: Loop[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-sealing-'))
  store = await openObjectStore(pathToFileURL(join(folder, 'objects')).href)
  await database.asSuperuser((session) =>
    session.query(`
      create table public.doc (id integer primary key, body text, plain json);
      create table public.shop (id integer primary key);
      select akashi_audit.protect('public.doc'), akashi_audit.protect('public.shop');
      grant insert on public.doc, public.shop to akashi_app`),
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))
afterEach(async () => {
  await Promise.all(loops.splice(0).map((loop) => loop.stop()))
})

const head = () => worker.transaction(tester, (session) => readHead(session, auditLogs.log))
const sql = (text: string) => database.asSuperuser((session) => session.query(text))

describe('a batch', () => {
  it('is bounded by the bytes that are hashed, however well they compress', async () => {
    await ledger.seal()
    const before = (await head())?.size ?? 0n
    // 8 MB each, a few KiB on disk: with what the trail adds, seven fit into a batch.
    const rows = 12
    await sql(
      `insert into public.doc select g, repeat(md5(g::text), 250000) from generate_series(1, ${rows}) g`,
    )
    const sealer = new LogSealer(ledger.keyring, auditLogs)
    const batches: SealedBatch[] = []
    await vi.waitFor(async () => {
      for (;;) {
        const batch = await sealer.next(worker, tester)
        if (batch.rows > 0) batches.push(batch)
        if (!batch.more) break
      }
      expect((await head())?.size).toBe(before + BigInt(rows))
    }, PATIENCE)
    for (const { rows: taken } of batches) expect(taken * 8_000_000).toBeLessThanOrEqual(SEAL_BATCH_BYTES)
    expect(batches.length).toBeGreaterThanOrEqual(2)
    expect(await ledger.problems()).toEqual([])
  })

  it('takes a row alone that is larger than it', async () => {
    const before = (await head())?.size ?? 0n
    // 30 MB of text beside the 8 that it was before.
    await sql(`update public.doc set body = repeat('\u{3042}', 10000000) where id = 1`)
    await ledger.seal()
    expect((await head())?.size).toBe(before + 1n)
  })
})

describe('a row that cannot be sealed', () => {
  const id = '01890a5d-ac96-774b-bcce-b302099a8057'

  afterAll(() =>
    tamperWith(database, (session) =>
      session.query(`delete from akashi_security.security_events where id = '${id}'`),
    ),
  )

  it('is named and raises an alarm; rows before it and other logs are sealed', {
    timeout: 300_000,
  }, async () => {
    const record = (type: string) =>
      sql(
        `select akashi_security.record_event(event_type => '${type}', event_category => 'system', severity => 'low', source_service => 'test')`,
      )
    for (let n = 0; n < 5; n += 1) await record('before_it')
    // 8,200 numbers of 131,072 digits print as more than a text can hold.
    const tooLarge = `insert into akashi_security.security_events (id, created_at, event_type, event_category, severity, source_service, event_details)
               values ('${id}', now(), 'too_large', 'system', 'low', 'test', ('[' || repeat('1e131071,', 8200) || '1]')::jsonb)`
    await expect(sql(tooLarge)).rejects.toMatchObject({ code: 'too_large' })
    // The owner can take the check away.
    await sql('alter table akashi_security.security_events drop constraint security_events_size_check')
    await sql(tooLarge)
    await record('after_it')
    const log = keepingLog()
    const { signal } = new AbortController()
    loops.push(sealLoop({ worker, keyring: ledger.keyring, signal, log }))
    await vi.waitFor(
      () => expect(log.lines.join('\n')).toContain(`row ${id} of akashi_security.security_events`),
      { timeout: 200_000, interval: 200 },
    )
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ name: string; sealed: boolean }>(
        `select r.event_type as name, e.row_id is not null as sealed from akashi_security.security_events r
         left join akashi_audit.ledger_entries e on e.log = 'security_events' and e.row_id = r.id
         where r.event_type in ('before_it', 'too_large', 'after_it') order by r.seq`,
      ),
    )
    expect(rows.map(({ sealed }) => sealed)).toEqual([true, true, true, true, true, false, false])
    expect(await watchSealing(worker, tester, { stalledMs: 1_000 })).toEqual([
      { subject: 'log security_events', detail: `nothing is sealed: row ${id} waits` },
    ])
    expect(await standingAlarms(worker, tester, ['ledger_not_sealed'])).toHaveLength(1)
    const size = (await head())?.size ?? 0n
    await sql('insert into public.shop values (1)')
    await vi.waitFor(async () => expect((await head())?.size).toBeGreaterThan(size), PATIENCE)
  })
})

describe('a log whose database was promoted', () => {
  it('is not sealed on another timeline under its old origin', async () => {
    await ledger.seal()
    await tamperWith(database, (session) =>
      session.query("update akashi_audit.ledger_heads set timeline = 99 where log = 'audit_logs'"),
    )
    const { origin, size } = (await head()) ?? {}
    await sql('insert into public.shop values (100)')
    await expect(new LogSealer(ledger.keyring, auditLogs).next(worker, tester)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('timeline') as unknown,
    })
    expect(await head()).toMatchObject({ origin, size })
    const { opened, failed } = await openEpochsWhereNeeded(worker, tester, ledger.keyring, store)
    expect(opened).toMatchObject([{ log: 'audit_logs', cause: 'moved' }])
    expect(failed.size).toBe(0)
    await ledger.seal()
    expect(await ledger.problems()).toEqual([])
  })
})

describe('a new epoch', () => {
  it('makes nobody wait behind a transaction that stays open', async () => {
    const app = database.open('app')
    const written = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const open = app.transaction(tester, async (session) => {
      await session.query('insert into public.shop values (200)')
      written.resolve()
      await release.promise
    })
    await written.promise
    let waits = true
    const opening = openEpoch(worker, tester, ledger.keyring, store, 'while others write').finally(() => {
      waits = false
    })
    // Each fails when it waits longer than this, which a wait for the open transaction would be.
    for (let n = 0; n < 20; n += 1) {
      await app.transaction(
        tester,
        (session) => session.query('insert into public.shop values ($1)', [201 + n]),
        {
          timeoutMs: 1_000,
        },
      )
      await sleep(100)
    }
    expect(waits).toBe(true)
    release.resolve()
    await open
    await expect(opening).resolves.toMatchObject([{ log: 'audit_logs' }, { log: 'security_events' }])
    await ledger.seal()
    expect(await ledger.problems()).toEqual([])
  })

  it('loses and doubles no row while many write', { timeout: 120_000 }, async () => {
    const stop = new AbortController()
    loops.push(sealLoop({ worker, keyring: ledger.keyring, signal: stop.signal, log: keepingLog() }))
    const app = database.open('app')
    const writers = [1, 2, 3].map(async (writer) => {
      for (let n = 0; !stop.signal.aborted; n += 1) {
        const first = writer * 1_000_000 + n * 100
        await app.transaction(tester, async (session) => {
          await session.query('insert into public.shop values ($1)', [first])
          // A table with json is recorded by the statement that numbers its rows by itself.
          await session.query(
            `insert into public.doc (id, plain) select $1::integer + g, '{"a": 1, "a": 2}' from generate_series(0, $2) g`,
            [first, n % 60],
          )
        })
      }
    })
    for (let n = 0; n < 8; n += 1) {
      // One that finds the writers busy each time is as good an outcome.
      await openEpoch(worker, tester, ledger.keyring, store, `epoch ${n} under load`).catch(() => undefined)
    }
    stop.abort()
    await Promise.all(writers)
    await ledger.seal()
    expect(await ledger.problems()).toEqual([])
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ missing: number; entries: number; rows: number }>(
        `select (select count(*) from akashi_audit.audit_logs r where not exists
                  (select from akashi_audit.ledger_entries e where e.log = 'audit_logs' and e.row_id = r.id))::integer as missing,
                (select count(*) from akashi_audit.ledger_entries where log = 'audit_logs')::integer as entries,
                (select count(*) from akashi_audit.audit_logs)::integer as rows`,
      ),
    )
    expect(rows[0]?.missing).toBe(0)
    expect(rows[0]?.entries).toBe(rows[0]?.rows)
  })
})

it('commits what it signs durably, whatever a role or the server says', () =>
  worker.transaction(tester, async (session) => {
    const setting = async () =>
      (await session.query<{ now: string }>("select current_setting('synchronous_commit') as now")).rows[0]
        ?.now
    await session.query("set local synchronous_commit = 'off'")
    await commitDurably(session)
    expect(await setting()).toBe('on')
    await session.query("set local synchronous_commit = 'remote_apply'")
    await commitDurably(session)
    expect(await setting()).toBe('remote_apply')
  }))
