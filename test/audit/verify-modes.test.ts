import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  lastVerification,
  oldestUncheckedSeconds,
  publishCheckpoints,
  recordCatalog,
  recordVerification,
  scrub,
  type VerifyMode,
  type VerifyReport,
  verifierKeys,
} from '../../src/audit/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { verifyAndRecord } from '../../src/operations/index.ts'
import type { DirectSession } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { tamperWith as tamperUnsettled } from '../support/tamper.ts'

/** One full slice of the scrub and the beginning of another. */
const ROWS = 66_000

const database = testDatabase()
const worker = database.open('worker')
const owner = database.open('owner')
const ledger = testLedger(worker)

/** These cases are about rows: that guards were switched off and on again is settled at once. */
async function tamperWith(...args: Parameters<typeof tamperUnsettled>): Promise<void> {
  await tamperUnsettled(...args)
  await recordCatalog(owner, tester, 'the guards are as they were')
}

let folder = ''
let store: ObjectStore

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-verify-'))
  store = await openObjectStore(pathToFileURL(join(folder, 'objects')).href)
  await database.asSuperuser((session) =>
    session.query(`create table shop (id int primary key, price numeric); select akashi_audit.protect('shop');
      insert into shop select i, i from generate_series(1, ${ROWS}) i`),
  )
  await ledger.seal()
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const run = (mode: VerifyMode): Promise<VerifyReport> =>
  verifyAndRecord(worker, tester, { keyring: ledger.keyring, store }, { mode })

const kinds = (report: VerifyReport) =>
  report.logs.flatMap((log) => log.problems).map(({ kind, id }) => `${kind} ${id}`)

const trail = (report: VerifyReport) => {
  const log = report.logs.find((each) => each.log === 'audit_logs')
  if (log === undefined) throw new Error('the trail was not verified')
  return log
}

async function write(n: number): Promise<void> {
  await database.asSuperuser((session) => session.query(`update shop set price = price + 1 where id <= ${n}`))
  await ledger.seal()
}

/** A sealed row of the trail by its place from the start or, negative, from the end. */
async function sealed(place: number): Promise<{ id: string; position: string }> {
  const { rows } = await worker.transaction(tester, (session) =>
    session.query<{ id: string; position: string }>(
      `select e.row_id as id, e.position::text from akashi_audit.ledger_entries e where e.log = 'audit_logs'
       order by e.position ${place < 0 ? 'desc' : 'asc'} offset $1 limit 1`,
      [place < 0 ? -place - 1 : place],
    ),
  )
  const [row] = rows
  if (row === undefined) throw new Error('there is no such entry')
  return row
}

/** What a case puts in below the frontier. */
const FORGED = '0199d3a0-0000-7000-8000-00000000beef'

/** Tampers, looks, and puts the rows of these ids and their entries back, heads and tiles too. */
async function found(
  mode: VerifyMode,
  ids: readonly string[],
  work: (session: DirectSession) => Promise<unknown>,
): Promise<VerifyReport> {
  const touched = `('{${[...ids, FORGED].join(',')}}')`
  const saved = [
    ['akashi_audit.audit_logs', `id = any ${touched}`],
    ['akashi_audit.ledger_entries', `row_id = any ${touched}`],
    ['akashi_audit.ledger_heads', 'true'],
    ['akashi_audit.ledger_tiles', 'true'],
  ] as const
  await tamperWith(database, async (session) => {
    for (const [table, those] of saved) {
      await session.query(
        `create table public.${table.replace('.', '_')} as select * from ${table} where ${those}`,
      )
    }
    await work(session)
  })
  const parts = { verifierKeys: verifierKeys(ledger.keyring) }
  try {
    return mode === 'scrub'
      ? await scrub(worker, tester, { ...parts, slices: 2 })
      : await ledger.verify({ mode })
  } finally {
    await tamperWith(database, async (session) => {
      for (const [table, those] of saved) {
        await session.query(`delete from ${table} where ${those}`)
        await session.query(`insert into ${table} select * from public.${table.replace('.', '_')}`)
        await session.query(`drop table public.${table.replace('.', '_')}`)
      }
    })
  }
}

describe('an incremental verification', () => {
  it('is full without an earlier verification', async () => {
    const report = await run('incremental')
    expect(report.ok).toBe(true)
    expect(trail(report)).toMatchObject({ from: '0' })
    expect(trail(report).checked).toBe(Number(trail(report).size))
  })

  it('checks only what is new since the last one', async () => {
    await write(7)
    const report = await run('incremental')
    expect(report.ok).toBe(true)
    expect(trail(report).checked).toBe(7)
    expect(BigInt(trail(report).from)).toBe(BigInt(trail(report).size) - 7n)
    expect(trail(await run('incremental')).checked).toBe(0)
  })

  it('compares checkpoints published since then, also within a tile', async () => {
    for (const n of [3, 300, 5]) {
      await write(n)
      await publishCheckpoints(worker, tester, store)
    }
    expect(await run('incremental')).toMatchObject({ ok: true })
    expect(trail(await run('incremental')).checked).toBe(0)
  })

  it('finds changes of new rows', async () => {
    await write(20)
    const row = await sealed(-4)
    const changed = await found('incremental', [row.id], (session) =>
      session.query("update akashi_audit.audit_logs set action = 'forged' where id = $1", [row.id]),
    )
    expect(kinds(changed)).toEqual([`changed ${row.id}`])
    const removed = await found('incremental', [row.id], (session) =>
      session.query('delete from akashi_audit.audit_logs where id = $1', [row.id]),
    )
    expect(kinds(removed)).toEqual([`removed ${row.id}`])
    const added = await found('incremental', [row.id], (session) =>
      session.query(
        `insert into akashi_audit.audit_logs (id, created_at, seq, xid, action, context_verified)
         select '${FORGED}', created_at, seq, xid, 'forged', true from akashi_audit.audit_logs where id = $1`,
        [row.id],
      ),
    )
    expect(kinds(added)).toEqual([`added ${FORGED}`])
    expect(await ledger.verify({ mode: 'incremental' })).toMatchObject({ ok: true })
  })

  it('finds rewritten older entries by the verified root', async () => {
    const report = await found('incremental', [], (session) =>
      session.query(
        `update akashi_audit.ledger_tiles set hashes = overlay(hashes placing sha256('forged') from 1 for 32)
         where log = 'audit_logs' and level = 2 and tile = 0`,
      ),
    )
    expect(kinds(report).every((kind) => kind.startsWith('checkpoint'))).toBe(true)
    expect(report.ok).toBe(false)
  })

  it('finds that the log was truncated below the verified size', async () => {
    await run('incremental')
    const report = await found('incremental', [], (session) =>
      session.query("update akashi_audit.ledger_heads set size = size - 5 where log = 'audit_logs'"),
    )
    expect(trail(report).problems.some(({ detail }) => detail.includes('its end was cut off'))).toBe(true)
  })

  it('finds a disabled trigger', async () => {
    await database.asSuperuser((session) =>
      session.query('alter table shop disable trigger akashi_audit_update'),
    )
    expect(kinds(await ledger.verify({ mode: 'incremental' }))).toEqual(['trigger public.shop'])
    await database.asSuperuser((session) =>
      session.query('alter table shop enable always trigger akashi_audit_update'),
    )
  })

  it('does not see changes of older rows, which the scrub and a full verification find', async () => {
    const row = await sealed(100)
    const alter = (session: DirectSession) =>
      session.query("update akashi_audit.audit_logs set action = 'forged' where id = $1", [row.id])
    expect(kinds(await found('incremental', [row.id], alter))).toEqual([])
    expect(kinds(await found('full', [row.id], alter))).toEqual([`changed ${row.id}`])
    expect(kinds(await found('scrub', [row.id], alter))).toEqual([`changed ${row.id}`])
  })

  it('resumes after the last verification without problems', async () => {
    await write(6)
    const row = await sealed(-2)
    await tamperWith(database, (session) =>
      session.query("update akashi_audit.audit_logs set action = 'forged' where id = $1", [row.id]),
    )
    expect(kinds(await run('incremental'))).toEqual([`changed ${row.id}`])
    expect(kinds(await run('incremental'))).toEqual([`changed ${row.id}`])
    await tamperWith(database, (session) =>
      session.query("update akashi_audit.audit_logs set action = 'update' where id = $1", [row.id]),
    )
    expect(await run('incremental')).toMatchObject({ ok: true })
  })
})

describe('the scrub', () => {
  it('hashes the slice that was hashed longest ago, and stores when', async () => {
    const parts = { verifierKeys: verifierKeys(ledger.keyring), slices: 1 }
    const mark = (slice: number, hours: number) =>
      database.asSuperuser((session) =>
        session.query(
          `update akashi_audit.ledger_scrubs set checked_at = now() - make_interval(hours => $2) where log = 'audit_logs' and unit = $1`,
          [`slice/${slice.toString().padStart(12, '0')}`, hours],
        ),
      )
    await run('full')
    await mark(0, 3)
    await mark(1, 2)
    expect(await oldestUncheckedSeconds(worker, tester)).toBeGreaterThan(3 * 3600 - 1)
    const first = await scrub(worker, tester, parts)
    expect(first).toMatchObject({ mode: 'scrub', ok: true })
    expect(trail(first).checked).toBe(65_536)
    expect(await oldestUncheckedSeconds(worker, tester)).toBeLessThan(2 * 3600 + 600)
    expect(await oldestUncheckedSeconds(worker, tester)).toBeGreaterThan(2 * 3600 - 1)
    const second = await scrub(worker, tester, parts)
    expect(trail(second).checked).toBe(Number(trail(second).size) - 65_536)
    expect(await oldestUncheckedSeconds(worker, tester)).toBeLessThan(600)
  })

  it('finds rows changed, moved in time, removed and added', async () => {
    const rows = [await sealed(5), await sealed(6), await sealed(7), await sealed(-1)]
    const ids = rows.map(({ id }) => id)
    const [changed, moved, removed, last] = ids
    const report = await found('scrub', ids, async (session) => {
      await session.query("update akashi_audit.audit_logs set action = 'forged' where id = any ($1)", [
        [changed, last],
      ])
      await session.query(
        "update akashi_audit.audit_logs set created_at = created_at + interval '1 microsecond' where id = $1",
        [moved],
      )
      await session.query('delete from akashi_audit.audit_logs where id = $1', [removed])
      await session.query(
        `insert into akashi_audit.audit_logs (id, created_at, seq, xid, action, context_verified)
         select '${FORGED}', created_at, seq, xid, 'forged', true from akashi_audit.audit_logs where id = $1`,
        [changed],
      )
    })
    expect(kinds(report).sort()).toEqual(
      [
        `changed ${changed}`,
        `changed ${moved}`,
        `changed ${last}`,
        `removed ${removed}`,
        `added ${FORGED}`,
      ].sort(),
    )
  })

  it.each([
    ['full', 20],
    ['last, partial', 65_540],
  ])('finds an entry of the %s slice that was changed together with its leaf', async (_, position) => {
    const row = await sealed(position)
    const report = await found('scrub', [row.id], async (session) => {
      await session.query("update akashi_audit.audit_logs set action = 'forged' where id = $1", [row.id])
      await session.query(
        "update akashi_audit.ledger_entries set entry_hash = sha256('x') where row_id = $1",
        [row.id],
      )
      await session.query(
        `update akashi_audit.ledger_tiles set hashes = overlay(hashes placing sha256('\\x00'::bytea || sha256('x')) from $2 for 32)
         where log = 'audit_logs' and level = 0 and tile = $1`,
        [Math.floor(position / 256), (position % 256) * 32 + 1],
      )
    })
    expect(kinds(report).sort()[0]).toBe(`changed ${row.id}`)
    expect(trail(report).problems.some(({ kind }) => kind === 'checkpoint')).toBe(true)
  })

  it('finds a missing entry', async () => {
    const row = await sealed(30)
    const report = await found('scrub', [row.id], (session) =>
      session.query('delete from akashi_audit.ledger_entries where row_id = $1', [row.id]),
    )
    expect(trail(report).problems).toMatchObject([
      { kind: 'removed', position: row.position },
      { kind: 'added', id: row.id },
    ])
  })
})

describe('the status of the last verification', () => {
  it('reports problems until a full one finds none', async () => {
    await run('full')
    expect(await lastVerification(worker, tester)).toMatchObject({ ok: true, problems: 0 })
    const row = await sealed(50)
    await tamperWith(database, (session) =>
      session.query("update akashi_audit.audit_logs set action = 'forged' where id = $1", [row.id]),
    )
    expect((await run('scrub')).ok).toBe(false)
    expect((await run('incremental')).ok).toBe(true)
    expect(await lastVerification(worker, tester)).toMatchObject({ ok: false, problems: 1 })
    await tamperWith(database, (session) =>
      session.query("update akashi_audit.audit_logs set action = 'insert' where id = $1", [row.id]),
    )
    await recordVerification(worker, tester, new Date(), await ledger.verify())
    expect(await lastVerification(worker, tester)).toMatchObject({ ok: true, problems: 0 })
  })
})
