import { describe, expect, it } from 'vitest'
import type { Problem } from '../../src/audit/index.ts'
import { testDatabase } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { withoutGuards } from '../support/tamper.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)

const forge = (age: string) => `
  insert into akashi_audit.audit_logs (created_at, user_id, context_verified, db_user, action, event_type)
  values (now() - interval '${age}', 'alice', true, 'akashi_app', 'delete', 'data_access') returning id`

async function insert(age: string): Promise<string> {
  const { rows } = await database.asSuperuser(async (session) => {
    await session.query(
      "select akashi_lifecycle.create_partitions('akashi_audit.audit_logs', now() - interval '90 days', now())",
    )
    return await session.query<{ id: string }>(forge(age))
  })
  return rows[0]?.id ?? ''
}

const named = (problems: readonly Problem[]) => problems.map(({ kind, id }) => `${kind} ${id}`)

/** Another row to verify from. */
async function act(): Promise<void> {
  await database.asSuperuser((session) =>
    session.query("select akashi_audit.record_action('test', 'something')"),
  )
  await ledger.seal()
}

describe('a row that a superuser inserts', () => {
  it('is reported when its time is before the database was created', async () => {
    await act()
    expect(await ledger.problems()).toEqual([])
    const id = await insert('9 days')
    await ledger.seal()
    expect(named(await ledger.problems())).toEqual([`backdated ${id}`])
  })

  it('is reported when its time is before a checkpoint that precedes it', async () => {
    await act()
    await database.asSuperuser(async (session) => {
      // How old the database is does not count here.
      await withoutGuards(session)
      await session.query('delete from akashi_audit.catalog_records')
      await session.query(
        `insert into akashi_audit.ledger_checkpoints (log, epoch, size, root, note, published_at)
         select log, epoch, size, root, note, now() - interval '20 minutes' from akashi_audit.ledger_heads where log = 'audit_logs'
         on conflict do nothing`,
      )
    })
    // Within what a clock may be set back, and out of it.
    await insert('22 minutes')
    const forged = await insert('40 minutes')
    await insert('0')
    await ledger.seal()
    const found = named(await ledger.problems())
    expect(found.filter((each) => each.startsWith('backdated'))).toEqual([`backdated ${forged}`])
  })
})

describe('a server that hides a changed row', () => {
  it('is contradicted by hashes computed in this process', async () => {
    await act()
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ id: string }>(
        "select id from akashi_audit.audit_logs where action = 'something' order by seq desc limit 1",
      ),
    )
    const id = rows[0]?.id ?? ''
    await database.asSuperuser(async (session) => {
      await session.query('begin')
      await withoutGuards(session)
      await session.query("update akashi_audit.audit_logs set user_agent = 'forged' where id = $1", [id])
      // Bytes never differ any more.
      await session.query(`
        create function public.never(bytea, bytea) returns boolean language sql immutable as 'select false';
        set local allow_system_table_mods = on;
        update pg_operator set oprcode = 'public.never(bytea,bytea)'::regprocedure where oid = '<>(bytea,bytea)'::regoperator`)
      await session.query('commit')
    })
    const problems = await ledger.problems({ secondOpinion: true })
    expect(problems).toContainEqual({
      kind: 'changed',
      position: expect.any(String),
      id,
      detail: expect.stringMatching(/although the server reports no difference$/),
    })
  })
})
