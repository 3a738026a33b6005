import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { auditLogs, readHead } from '../../src/audit/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const worker = database.open('worker', { poolSize: 6 })
const app = database.open('app', { poolSize: 16 })
const ledger = testLedger(worker)

async function head(log = auditLogs) {
  return await worker.transaction(tester, (session) => readHead(session, log.log))
}

const counts = `
  select (select count(*)::integer from akashi_audit.audit_logs) as rows,
         (select count(*)::integer from akashi_audit.ledger_entries where log = 'audit_logs') as entries,
         (select count(distinct row_id)::integer from akashi_audit.ledger_entries where log = 'audit_logs') as distinct_rows,
         (select count(*)::integer from akashi_audit.ledger_entries e left join akashi_audit.audit_logs r on r.id = e.row_id
          where e.log = 'audit_logs' and r.id is null) as without_row`

interface Counts {
  rows: number
  entries: number
  distinct_rows: number
  without_row: number
}

describe('sealing', () => {
  it('includes rows written by migrations, and is idempotent', async () => {
    await ledger.seal()
    const first = await head()
    await ledger.seal()
    expect(await head()).toEqual(first)
    expect(first?.size).toBeGreaterThan(0n)
    expect((await ledger.verify()).ok).toBe(true)
  })

  it('adds every row exactly once while writers commit, roll back, nest and prepare in any order', async () => {
    await database.asSuperuser((session) =>
      session.query(`create table busy (id bigint generated always as identity primary key, n int);
        grant insert on busy to akashi_app; select akashi_audit.protect('busy')`),
    )
    let running = true
    const sealing = (async () => {
      while (running) await ledger.sealOnce()
    })()
    const writers = Array.from({ length: 12 }, async (_, writer) => {
      for (let i = 0; i < 40; i += 1) {
        const kind = (writer + i) % 5
        const work = app.transaction(tester, async (session) => {
          await session.query('insert into public.busy (n) values ($1)', [i])
          if (kind === 1) await sleep(3)
          if (kind === 2) {
            await session.query('savepoint s')
            await session.query('insert into public.busy (n) values (-1)')
            await session.query('rollback to savepoint s')
            await session.query('insert into public.busy (n) values (-2)')
          }
          if (kind === 3) await session.query('set local synchronous_commit = off')
          if (kind === 4) throw new Error('rolled back')
        })
        await work.catch((error: Error) => {
          if (error.message !== 'rolled back') throw error
        })
      }
    })
    await Promise.all(writers)
    running = false
    await sealing
    await ledger.seal()
    const { rows } = await worker.transaction(tester, (session) => session.query<Counts>(counts))
    expect(rows[0]?.rows).toBeGreaterThan(12 * 40)
    expect(rows[0]).toMatchObject({ entries: rows[0]?.rows, distinct_rows: rows[0]?.rows, without_row: 0 })
    expect((await ledger.verify()).ok).toBe(true)
  })

  it('waits for an open transaction, and then adds everything', async () => {
    await ledger.seal()
    const before = await head()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const open = app.transaction(tester, async (session) => {
      await session.query('insert into public.busy (n) values (100)')
      await held
    })
    await sleep(50)
    await app.transaction(tester, (session) => session.query('insert into public.busy (n) values (101)'))
    await ledger.sealOnce()
    expect((await head())?.size).toBe(before?.size)
    release()
    await open
    await ledger.seal()
    expect((await head())?.size).toBe((before?.size ?? 0n) + 2n)
  })

  it('is safe when several sealers run at once', async () => {
    await app.transaction(tester, async (session) => {
      for (let i = 0; i < 50; i += 1) await session.query('insert into public.busy (n) values ($1)', [i])
    })
    await Promise.all([ledger.sealOnce(), ledger.sealOnce(), ledger.sealOnce(), ledger.seal()])
    const { rows } = await worker.transaction(tester, (session) => session.query<Counts>(counts))
    expect(rows[0]).toMatchObject({ entries: rows[0]?.rows, distinct_rows: rows[0]?.rows })
    expect((await ledger.verify()).ok).toBe(true)
  })

  it('refuses to run where row security would hide rows', async () => {
    await expect(
      app.transaction(tester, (session) =>
        session.query("select akashi_audit.assert_unfiltered('akashi_audit.audit_logs')"),
      ),
    ).rejects.toMatchObject({ code: 'forbidden' })
    await expect(
      database.asSuperuser(async (session) => {
        await session.query(
          'begin; create role blind; grant usage on schema akashi_audit to blind; grant select on akashi_audit.audit_logs to blind; grant execute on function akashi_audit.assert_unfiltered to blind; set local role blind',
        )
        try {
          await session.query("select akashi_audit.assert_unfiltered('akashi_audit.audit_logs')")
        } finally {
          await session.query('rollback')
        }
      }),
    ).rejects.toMatchObject({ code: 'integrity' })
  })
})
