import { describe, expect, it } from 'vitest'
import type { Problem } from '../../src/audit/index.ts'
import type { DirectSession } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)

/** Rows of the trail under test, in the order of the ledger. */
async function sealedRows(): Promise<{ id: string; position: bigint }[]> {
  const { rows } = await worker.transaction(tester, (session) =>
    session.query<{ id: string; position: bigint }>(
      "select row_id as id, position from akashi_audit.ledger_entries where log = 'audit_logs' order by position desc limit 20",
    ),
  )
  return rows.reverse()
}

/** What a superuser would do who wants no trace: guards off, change, guards on again. */
async function tamper(work: (session: DirectSession) => Promise<unknown>): Promise<void> {
  await database.asSuperuser(async (session) => {
    await session.query('begin')
    await session.query('set local session_replication_role = replica')
    const { rows } = await session.query<{ relid: string; tgname: string }>(
      "select tgrelid::regclass::text as relid, tgname from pg_trigger where tgname in ('refuse_change', 'keep_tile', 'keep_head', 'keep_checkpoint')",
    )
    for (const { relid, tgname } of rows)
      await session.query(`alter table ${relid} disable trigger ${tgname}`)
    await work(session)
    for (const { relid, tgname } of rows) {
      await session.query(`alter table ${relid} enable always trigger ${tgname}`)
    }
    await session.query('commit')
  })
}

/** Tampers, looks, and puts everything back, so that each case starts from a clean ledger. */
async function found(work: (session: DirectSession) => Promise<unknown>): Promise<Problem[]> {
  const copies = [
    'akashi_audit.audit_logs',
    'akashi_audit.ledger_entries',
    'akashi_audit.ledger_heads',
    'akashi_audit.ledger_tiles',
  ]
  await database.asSuperuser(async (session) => {
    await session.query('create schema if not exists saved')
    for (const table of copies)
      await session.query(`create table saved.${table.replace('.', '_')} as table ${table}`)
  })
  await tamper(work)
  const problems = await ledger.problems()
  await tamper(async (session) => {
    for (const table of copies) {
      await session.query(`delete from ${table}`)
      await session.query(`insert into ${table} select * from saved.${table.replace('.', '_')}`)
    }
    await session.query('drop schema saved cascade')
  })
  expect(await ledger.problems()).toEqual([])
  return problems
}

const kinds = (problems: Problem[]) => problems.map((problem) => `${problem.kind} ${problem.id}`)

describe('a superuser who alters sealed rows', () => {
  it('starts from a clean ledger', async () => {
    await database.asSuperuser((session) =>
      session.query(`create table shop (id int primary key, price numeric); select akashi_audit.protect('shop', 'confidential', 'id');
        insert into shop select i, i * 1.5 from generate_series(1, 30) i; update shop set price = price + 1 where id <= 10; delete from shop where id = 30`),
    )
    await ledger.seal()
    const report = await ledger.verify()
    expect(report.ok).toBe(true)
    expect(report.logs.find((log) => log.log === 'audit_logs')?.checked).toBeGreaterThan(40)
  })

  it('is found by every column of every row that changes', { timeout: 300_000 }, async () => {
    const rows = await sealedRows()
    const { rows: columns } = await worker.transaction(tester, (session) =>
      session.query<{ name: string; type: string }>(
        `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
         where attrelid = 'akashi_audit.audit_logs'::regclass and attnum > 0 and not attisdropped and attname <> 'created_at'`,
      ),
    )
    const other: Record<string, string> = {
      uuid: "'0199d3a0-0000-7000-8000-00000000dead'",
      bigint: '123456789',
      smallint: '7',
      xid8: "'3'",
      bytea: "'\\xff'",
      text: "'forged'",
      inet: "'192.0.2.1'",
      boolean: 'not context_verified',
      jsonb: `'{"forged": true}'`,
      'text[]': "'{forged}'",
    }
    expect(columns.length).toBeGreaterThan(30)
    for (const [i, { name, type }] of columns.entries()) {
      const row = rows[i % rows.length]
      const value = other[type]
      if (row === undefined || value === undefined) throw new Error(`no other value for ${name} ${type}`)
      const problems = await found((session) =>
        session.query(`update akashi_audit.audit_logs set "${name}" = ${value} where id = $1`, [row.id]),
      )
      if (name === 'id')
        expect(kinds(problems).sort()).toEqual([
          'added 0199d3a0-0000-7000-8000-00000000dead',
          `removed ${row.id}`,
        ])
      else expect(kinds(problems), name).toEqual([`changed ${row.id}`])
    }
  })

  it.each([
    ['a NULL at its end', 'array_append(changed_fields, null)'],
    ['other bounds', "format('[5:%s]=%s', 4 + cardinality(changed_fields), changed_fields)::text[]"],
    ['another dimension', 'array[changed_fields]'],
  ])('is found by an array that gets %s', async (_, value) => {
    const { rows } = await worker.transaction(tester, (session) =>
      session.query<{ id: string }>(
        `select t.id from akashi_audit.audit_logs t join akashi_audit.ledger_entries e on e.row_id = t.id
         where cardinality(t.changed_fields) > 0 limit 1`,
      ),
    )
    const [row] = rows
    if (row === undefined) throw new Error('no sealed row has changed fields')
    const problems = await found((session) =>
      session.query(`update akashi_audit.audit_logs set changed_fields = ${value} where id = $1`, [row.id]),
    )
    expect(kinds(problems)).toEqual([`changed ${row.id}`])
  })

  it('names what is wrong in the order of the ledger, position 10 behind 9', async () => {
    const problems = await found((session) =>
      session.query(
        `update akashi_audit.audit_logs set action = action || 'x' where id in (
           select row_id from akashi_audit.ledger_entries where log = 'audit_logs' and position between 8 and 11)`,
      ),
    )
    expect(problems.map(({ position }) => position)).toEqual(['8', '9', '10', '11'])
  })

  it('is found by a changed time, also into another partition', async () => {
    const [row] = await sealedRows()
    expect(
      kinds(
        await found((session) =>
          session.query(
            "update akashi_audit.audit_logs set created_at = created_at + interval '1 microsecond' where id = $1",
            [row?.id],
          ),
        ),
      ),
    ).toEqual([`changed ${row?.id}`])
    expect(
      kinds(
        await found((session) =>
          session.query(
            "update akashi_audit.audit_logs set created_at = created_at + interval '1 month' where id = $1",
            [row?.id],
          ),
        ),
      ),
    ).toEqual([`changed ${row?.id}`])
  })

  it('is found by a removed row, with its position', async () => {
    const row = (await sealedRows())[7]
    const problems = await found((session) =>
      session.query('delete from akashi_audit.audit_logs where id = $1', [row?.id]),
    )
    expect(problems).toMatchObject([{ kind: 'removed', id: row?.id, position: String(row?.position) }])
  })

  it('is found by a row put below the frontier', async () => {
    const [row] = await sealedRows()
    const problems = await found((session) =>
      session.query(
        `insert into akashi_audit.audit_logs (id, created_at, seq, xid, action, context_verified)
        select '0199d3a0-0000-7000-8000-00000000beef', created_at, seq, xid, 'forged', true from akashi_audit.audit_logs where id = $1`,
        [row?.id],
      ),
    )
    expect(kinds(problems)).toEqual(['added 0199d3a0-0000-7000-8000-00000000beef'])
  })

  it('is found by a row that claims a transaction of the future', async () => {
    const problems = await found((session) =>
      session.query(
        `insert into akashi_audit.audit_logs (id, xid, action, context_verified) values ('0199d3a0-0000-7000-8000-00000000feed', '99999999999', 'forged', true)`,
      ),
    )
    expect(kinds(problems)).toEqual(['unsealed 0199d3a0-0000-7000-8000-00000000feed'])
  })

  it('is found by two rows that exchange their content', async () => {
    const rows = await sealedRows()
    const problems = await found((session) =>
      session.query(
        `update akashi_audit.audit_logs a set new_values = b.new_values, record_id = b.record_id, salt = b.salt
        from akashi_audit.audit_logs b where (a.id = $1 and b.id = $2) or (a.id = $2 and b.id = $1)`,
        [rows[3]?.id, rows[5]?.id],
      ),
    )
    expect(kinds(problems).sort()).toEqual([`changed ${rows[3]?.id}`, `changed ${rows[5]?.id}`].sort())
  })

  it('is found when row and entry are changed together', async () => {
    const row = (await sealedRows())[4]
    const problems = await found(async (session) => {
      await session.query("update akashi_audit.audit_logs set action = 'forged' where id = $1", [row?.id])
      await session.query(
        "update akashi_audit.ledger_entries set entry_hash = sha256('forged') where row_id = $1",
        [row?.id],
      )
    })
    expect(
      problems.some((problem) => problem.kind === 'changed' && problem.position === String(row?.position)),
    ).toBe(true)
    expect(problems.some((problem) => problem.kind === 'checkpoint')).toBe(true)
  })

  it('is found when row and entry are removed together', async () => {
    const row = (await sealedRows())[4]
    const problems = await found(async (session) => {
      await session.query('delete from akashi_audit.audit_logs where id = $1', [row?.id])
      await session.query('delete from akashi_audit.ledger_entries where row_id = $1', [row?.id])
    })
    expect(problems).toMatchObject([{ kind: 'removed', position: String(row?.position) }])
  })

  it('is found when entries exchange positions', async () => {
    const rows = await sealedRows()
    const problems = await found((session) =>
      session.query(
        `update akashi_audit.ledger_entries e set row_id = o.row_id, created_at = o.created_at, entry_hash = o.entry_hash
        from akashi_audit.ledger_entries o where e.log = 'audit_logs' and o.log = 'audit_logs'
        and ((e.position = $1 and o.position = $2) or (e.position = $2 and o.position = $1))`,
        [rows[1]?.position, rows[2]?.position],
      ),
    )
    expect(
      problems.filter((problem) => problem.kind === 'reordered').map((problem) => problem.position),
    ).toEqual([String(rows[1]?.position), String(rows[2]?.position)])
  })

  it('is found when the head is rewritten without the key', async () => {
    const problems = await found((session) =>
      session.query("update akashi_audit.ledger_heads set root = sha256('x') where log = 'audit_logs'"),
    )
    expect(problems.every((problem) => problem.kind === 'checkpoint')).toBe(true)
    expect(problems.length).toBeGreaterThan(0)
  })

  it('is found when the end is cut off and the head lowered', async () => {
    const rows = await sealedRows()
    const cut = rows[15]?.position
    const problems = await found(async (session) => {
      await session.query(
        "delete from akashi_audit.audit_logs where id in (select row_id from akashi_audit.ledger_entries where log = 'audit_logs' and position >= $1)",
        [cut],
      )
      await session.query(
        "delete from akashi_audit.ledger_entries where log = 'audit_logs' and position >= $1",
        [cut],
      )
      await session.query("update akashi_audit.ledger_heads set size = $1 where log = 'audit_logs'", [cut])
    })
    expect(problems.some((problem) => problem.kind === 'checkpoint')).toBe(true)
  })

  it.each([
    [
      'disabled',
      'alter table shop disable trigger akashi_audit_update',
      'alter table shop enable always trigger akashi_audit_update',
      'trigger akashi_audit_update is disabled',
    ],
    [
      'dropped',
      'drop trigger akashi_audit_delete on shop',
      "select akashi_audit.protect('shop', 'confidential', 'id')",
      'trigger akashi_audit_delete is missing',
    ],
    [
      'weakened',
      'alter table shop enable trigger akashi_audit_insert',
      'alter table shop enable always trigger akashi_audit_insert',
      'trigger akashi_audit_insert does not fire in every session',
    ],
    [
      'replaced',
      `create function nothing() returns trigger language plpgsql as 'begin return null; end'; drop trigger akashi_audit_insert on shop; create trigger akashi_audit_insert after insert on shop execute function nothing(); alter table shop enable always trigger akashi_audit_insert`,
      "drop function nothing cascade; select akashi_audit.protect('shop', 'confidential', 'id')",
      'trigger akashi_audit_insert differs from the one that protect created',
    ],
  ])('is found by a trigger that was %s', async (_, breakIt, mend, detail) => {
    await database.asSuperuser((session) => session.query(breakIt))
    expect(await ledger.problems()).toMatchObject([{ kind: 'trigger', id: 'public.shop', detail }])
    await database.asSuperuser((session) => session.query(mend))
    await ledger.seal()
    expect(await ledger.problems()).toEqual([])
  })

  it('is found by a guard that was taken from a partition', async () => {
    const name = await database.asSuperuser(async (session) => {
      const { rows } = await session.query<{ name: string }>(
        "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'akashi_audit.audit_logs'::regclass order by 1 desc limit 1",
      )
      await session.query(`drop trigger refuse_change on ${rows[0]?.name}`)
      return rows[0]?.name
    })
    expect(await ledger.problems()).toMatchObject([{ kind: 'trigger', id: name }])
    await database.asSuperuser((session) => session.query(`select akashi_audit.guard('${name}')`))
    expect(await ledger.problems()).toEqual([])
  })
})
