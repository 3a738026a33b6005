import { describe, expect, it } from 'vitest'
import { person, type Session } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const app = database.open('app')
const worker = database.open('worker')

interface Row {
  action: string
  operation: string
  record_id: string | null
  old_values: Record<string, unknown> | null
  new_values: Record<string, unknown> | null
  changed_fields: string[] | null
  detail: Record<string, unknown> | null
  data_subject: string | null
  context_verified: boolean
  user_id: string | null
  request_id: string | null
  db_user: string
}

function trail(session: Session, table: string): Promise<Row[]> {
  return session
    .query<Row>('select * from akashi_audit.audit_logs where table_name = $1 order by seq', [table])
    .then(({ rows }) => rows)
}

/** One transaction of a superuser, who owns the application's tables here. */
function asSuperuser<T>(work: (session: Session) => Promise<T>): Promise<T> {
  return database.asSuperuser(async (session) => {
    await session.query('begin')
    try {
      const result = await work(session)
      await session.query('commit')
      return result
    } catch (error) {
      await session.query('rollback')
      throw error
    }
  })
}

/** Runs statements as an administrator, in one transaction, and answers the trail of a table. */
function run(table: string, ...statements: string[]): Promise<Row[]> {
  return asSuperuser(async (session) => {
    for (const statement of statements) await session.query(statement)
    return await trail(session, table)
  })
}

const me = '0199d3a0-0000-7000-8000-000000000001'

describe('a protected table', () => {
  it('records inserts, updates, deletes and truncation with the values before and after', async () => {
    const rows = await run(
      'basic',
      'create table basic (id int primary key, name text, amount numeric)',
      "select akashi_audit.protect('basic')",
      "insert into basic values (1, 'a', 1.50), (2, 'b', 2)",
      'update basic set amount = amount + 1 where id = 1',
      'delete from basic where id = 2',
      'truncate basic',
    )
    expect(rows.map((row) => [row.action, row.record_id])).toEqual([
      ['insert', '1'],
      ['insert', '2'],
      ['update', '1'],
      ['delete', '2'],
      ['truncate', null],
    ])
    expect(rows[0]?.new_values).toEqual({ id: 1, name: 'a', amount: 1.5 })
    expect(rows[2]).toMatchObject({
      old_values: { amount: 1.5 },
      new_values: { id: 1, name: 'a', amount: 2.5 },
      changed_fields: ['amount'],
    })
    expect(rows[3]).toMatchObject({ old_values: { id: 2, name: 'b', amount: 2 }, new_values: null })
  })

  it('pairs the rows of one statement also when it changes their keys, and says what the key was', async () => {
    const rows = await run(
      'moved',
      'create table moved (id int primary key, name text)',
      "insert into moved select i, 'n' || i from generate_series(1, 500) i",
      "select akashi_audit.protect('moved')",
      'update moved set id = id + 1000',
    )
    expect(rows).toHaveLength(500)
    for (const row of rows) {
      expect(row.new_values?.['name']).toBe(`n${Number(row.record_id) - 1000}`)
      expect(row.detail).toEqual({ previous_record_id: String(Number(row.record_id) - 1000) })
      expect(row.old_values).toEqual({ id: Number(row.record_id) - 1000 })
    }
  })

  it('writes nothing for an update that changes nothing, or only ignored columns', async () => {
    const rows = await run(
      'quiet',
      'create table quiet (id int primary key, name text, last_seen timestamptz)',
      "select akashi_audit.protect('quiet', ignore => array['last_seen'])",
      "insert into quiet values (1, 'a', null)",
      'update quiet set last_seen = now()',
      "update quiet set name = 'a'",
      "update quiet set name = 'b', last_seen = 'infinity'",
    )
    expect(rows.map((row) => [row.action, row.changed_fields])).toEqual([
      ['insert', null],
      ['update', ['last_seen', 'name']],
    ])
  })

  it('records every kind of write: ON CONFLICT, MERGE, cascades, functions', async () => {
    const rows = await run(
      'child',
      'create table parent (id int primary key)',
      'create table child (id int primary key, parent int references parent on delete cascade, note text)',
      'insert into parent values (1), (2)',
      "select akashi_audit.protect('child')",
      'insert into child values (1, 1), (2, 2)',
      "insert into child values (2, 2, 'x'), (3, 2, null) on conflict (id) do update set note = excluded.note",
      "merge into child c using (values (3, 'm'), (4, 'n')) v (id, note) on c.id = v.id when matched then update set note = v.note when not matched then insert values (v.id, 1, v.note)",
      'delete from parent where id = 2',
    )
    expect(rows.map((row) => `${row.action} ${row.record_id}`).sort()).toEqual(
      ['insert 1', 'insert 2', 'insert 3', 'update 2', 'insert 4', 'update 3', 'delete 2', 'delete 3'].sort(),
    )
  })

  it('records direct writes to a partition and rows that move between partitions', async () => {
    const rows = await run(
      'parts',
      'create table parts (id int, day date, primary key (id, day)) partition by range (day)',
      "create table parts_1 partition of parts for values from ('2026-01-01') to ('2026-02-01')",
      "create table parts_2 partition of parts for values from ('2026-02-01') to ('2026-03-01')",
      "select akashi_audit.protect('parts')",
      "insert into parts values (1, '2026-01-05')",
      "update parts set day = '2026-02-05'",
    )
    expect(rows.map((row) => [row.action, row.record_id])).toEqual([
      ['insert', '[1, "2026-01-05"]'],
      ['update', '[1, "2026-02-05"]'],
    ])
    const direct = await run('parts_2', 'delete from parts_2')
    expect(direct.map((row) => row.action)).toEqual(['delete'])
  })

  it('records names that need quoting, and columns added and dropped later', async () => {
    const rows = await run(
      'Odd "table"',
      'create schema "My Schema"',
      'create table "My Schema"."Odd ""table""" ("Key" text, "b\'c" int, primary key ("Key", "b\'c"))',
      'select akashi_audit.protect(\'"My Schema"."Odd ""table"""\')',
      'insert into "My Schema"."Odd ""table""" values (\'k\', 1)',
      'alter table "My Schema"."Odd ""table""" add extra text default \'later\'',
      'update "My Schema"."Odd ""table""" set extra = \'changed\'',
      'alter table "My Schema"."Odd ""table""" drop column extra',
      'delete from "My Schema"."Odd ""table"""',
    )
    expect(rows.map((row) => [row.action, row.record_id])).toEqual([
      ['insert', '["k", 1]'],
      ['update', '["k", 1]'],
      ['delete', '["k", 1]'],
    ])
    expect(rows[1]?.old_values).toEqual({ extra: 'later' })
  })

  it('records values independently of the settings of the session', async () => {
    const write = (settings: string) =>
      run(
        'typed',
        'drop table if exists typed',
        'create table typed (id int primary key, t timestamptz, i interval, f float8, b bytea, r tstzrange, a text[], g int generated always as (id + 1) stored)',
        "select akashi_audit.protect('typed')",
        settings,
        `insert into typed values (1, '2026-01-01 00:00+00', '1 day 2 hours', 0.1::float8 + 0.2, '\\x0102', '[2026-01-01 00:00+00,)', '{a,"b c"}')`,
        'reset bytea_output',
      ).then((rows) => rows.at(-1)?.new_values)
    const plain = await write('select 1')
    const odd = await write(
      "select set_config('TimeZone', 'Asia/Tokyo', true), set_config('DateStyle', 'German', true), set_config('IntervalStyle', 'postgres_verbose', true), set_config('bytea_output', 'escape', true), set_config('extra_float_digits', '-5', true)",
    )
    expect(odd).toEqual(plain)
    expect(plain).toMatchObject({ g: 2, a: ['a', 'b c'] })
  })

  it('digests and omits columns, with a salt per person', async () => {
    const rows = await run(
      'people',
      'create table people (id int primary key, email text, secret text, note text)',
      `select akashi_audit.protect('people', 'restricted', 'id', '{"email": "digest", "secret": "omit"}')`,
      "insert into people values (1, 'a@example.com', 's', null), (2, 'a@example.com', 's', null)",
      "update people set secret = 't', email = null where id = 1",
    )
    const [first, second, update] = rows
    expect(first?.new_values).toEqual({
      id: 1,
      note: null,
      email: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown },
    })
    expect(first?.new_values?.['email']).not.toEqual(second?.new_values?.['email'])
    expect(update).toMatchObject({
      changed_fields: ['email', 'secret'],
      old_values: { email: first?.new_values?.['email'] },
    })
    expect(update?.new_values).toEqual({ id: 1, note: null, email: null })
    expect(JSON.stringify(rows.map((row) => [row.old_values, row.new_values]))).not.toContain('example.com')
    expect(rows.map((row) => row.data_subject)).toEqual(['1', '2', '1'])
  })

  it('fires under session_replication_role = replica', async () => {
    const rows = await run(
      'replicated',
      'create table replicated (id int primary key)',
      "select akashi_audit.protect('replicated')",
      'set local session_replication_role = replica',
      'insert into replicated values (1)',
    )
    expect(rows.map((row) => row.action)).toEqual(['insert'])
  })

  it('keeps its records when its audit ends, and records the end', async () => {
    const rows = await run(
      'ended',
      'create table ended (id int primary key)',
      "select akashi_audit.protect('ended')",
      'insert into ended values (1)',
      "select akashi_audit.unprotect('ended')",
      'insert into ended values (2)',
    )
    expect(rows.map((row) => row.record_id)).toEqual(['1'])
    const record = await asSuperuser((session) => trail(session, 'protected_tables'))
    expect(record.filter((row) => row.action === 'delete').map((row) => row.record_id)).toContain(
      '["public", "ended"]',
    )
  })

  it.each([
    ['a view', 'create view v as select 1 as id', "select akashi_audit.protect('v')", /v is not a table/],
    [
      'a table without a key',
      'create table keyless (id int)',
      "select akashi_audit.protect('keyless')",
      /has no primary key/,
    ],
    [
      'an unknown column',
      'create table u1 (id int primary key)',
      "select akashi_audit.protect('u1', ignore => array['nope'])",
      /has no column nope/,
    ],
    [
      'an unknown treatment',
      'create table u2 (id int primary key, a int)',
      `select akashi_audit.protect('u2', columns => '{"a": "hide"}')`,
      /plain, digest or omit/,
    ],
    [
      'a digested key',
      'create table u3 (id int primary key)',
      `select akashi_audit.protect('u3', columns => '{"id": "digest"}')`,
      /key of public.u3 cannot be/,
    ],
    [
      'the trail',
      'select 1',
      "select akashi_audit.protect('akashi_audit.audit_logs')",
      /cannot be put under audit/,
    ],
  ])('refuses %s with a reason', async (_, setup, statement, message) => {
    await expect(run('none', setup, statement)).rejects.toSatisfy(
      (error: Error) =>
        message.test(error.message) || message.test(String((error.cause as Error | undefined)?.message)),
    )
  })
})

describe('who did it', () => {
  it('comes from the signed context', async () => {
    await run(
      'signed',
      'create table signed (id int primary key)',
      "select akashi_audit.protect('signed')",
      'grant insert on signed to akashi_app',
    )
    await app.transaction(person({ userId: me }, { requestId: 'r-1', clientIp: '2001:db8::7' }), (session) =>
      session.query('insert into public.signed values (1)'),
    )
    const [row] = await run('signed')
    expect(row).toMatchObject({
      user_id: me,
      request_id: 'r-1',
      ip_address: '2001:db8::7',
      context_verified: true,
      db_user: 'akashi_app',
    })
  })

  it('is recorded as a claim when the connection set it itself', async () => {
    await run(
      'claimed',
      'create table claimed (id int primary key)',
      "select akashi_audit.protect('claimed')",
      'grant insert on claimed to akashi_app',
    )
    await app.transaction(tester, async (session) => {
      await session.query(
        "select set_config('app.current_user_id', $1, true), set_config('app.client_ip', 'not an address', true)",
        [me],
      )
      const { rows } = await session.query('select akashi_auth.current_user_id() as id')
      expect(rows).toEqual([{ id: null }])
      await session.query('insert into public.claimed values (1)')
    })
    const [row] = await run('claimed')
    expect(row).toMatchObject({ user_id: me, context_verified: false, ip_address: null })
  })

  it('is not verified when any signed field was changed afterwards', async () => {
    for (const setting of [
      'app.current_user_id',
      'app.session_id',
      'app.tenant_id',
      'app.request_id',
      'app.context_expires',
      'app.context_key',
    ]) {
      const verified = await app.transaction(
        person({ userId: me }, { requestId: 'r-1' }),
        async (session) => {
          await session.query('select set_config($1, $2, true)', [setting, '9999999999'])
          const { rows } = await session.query<{ ok: boolean }>('select akashi_auth.context_verified() as ok')
          return rows[0]?.ok
        },
      )
      expect(verified, setting).toBe(setting === 'app.session_id')
    }
  })

  it('is recorded for actions too', async () => {
    await app.transaction(person({ userId: me }), (session) =>
      session.query("select akashi_audit.record_action('report_exported', 'export', 'reports', '7')"),
    )
    await app.transaction(person({ userId: me }), (session) =>
      session.query(
        "select akashi_audit.record_access('akashi_chat.messages', array['1', '2'], 'court order')",
      ),
    )
    const { rows } = await worker.transaction(tester, (session) =>
      session.query(
        "select event_type, action, user_id, detail, data_classification from akashi_audit.audit_logs where operation is null and event_type <> 'catalog_recorded' order by seq",
      ),
    )
    expect(rows).toEqual([
      {
        event_type: 'report_exported',
        action: 'export',
        user_id: me,
        detail: null,
        data_classification: 'internal',
      },
      {
        event_type: 'data_access',
        action: 'read',
        user_id: me,
        detail: { records: ['1', '2'], reason: 'court order' },
        data_classification: 'confidential',
      },
    ])
  })
})

describe('the trail itself', () => {
  const attempts = [
    "update akashi_audit.audit_logs set action = 'x'",
    'delete from akashi_audit.audit_logs',
    'truncate akashi_audit.audit_logs',
    "update %PARTITION% set action = 'x'",
    'delete from %PARTITION%',
    'truncate %PARTITION%',
  ]

  async function partition(): Promise<string> {
    const { rows } = await asSuperuser((session) =>
      session.query<{ name: string }>(
        "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'akashi_audit.audit_logs'::regclass order by 1 limit 1",
      ),
    )
    return rows[0]?.name ?? ''
  }

  it.each(attempts)('refuses its superuser: %s', async (statement) => {
    const text = statement.replace('%PARTITION%', await partition())
    await expect(asSuperuser((session) => session.query(text))).rejects.toMatchObject({ code: 'append_only' })
  })

  it.each([
    ...attempts,
    "insert into akashi_audit.audit_logs (action, context_verified) values ('forged', true)",
  ])('refuses the application: %s', async (statement) => {
    const text = statement.replace('%PARTITION%', await partition())
    await expect(app.transaction(tester, (session) => session.query(text))).rejects.toMatchObject({
      code: 'forbidden',
    })
  })

  it('still refuses changes of a detached partition', async () => {
    const name = await partition()
    await expect(
      asSuperuser(async (session) => {
        await session.query(`alter table akashi_audit.audit_logs detach partition ${name}`)
        await session.query(`delete from ${name}`)
      }),
    ).rejects.toMatchObject({ code: 'append_only' })
  })

  it('shows an application user only their own rows, and anonymous none', async () => {
    const other = '0199d3a0-0000-7000-8000-000000000002'
    await app.transaction(person({ userId: other }), (session) =>
      session.query("select akashi_audit.record_action('seen', 'x')"),
    )
    const count = (userId?: string) =>
      app.transaction(userId === undefined ? tester : person({ userId }), async (session) => {
        const { rows } = await session.query<{ users: string[] | null }>(
          'select array_agg(distinct user_id::text) as users from akashi_audit.audit_logs',
        )
        return rows[0]?.users
      })
    expect(await count(other)).toEqual([other])
    expect(await count()).toBeNull()
  })

  it('covers every table of Akashi, or has a reason for an exemption', async () => {
    const { rows } = await asSuperuser((session) =>
      session.query(
        "select schema_name || '.' || table_name as name from akashi_audit.coverage where state = 'gap' and schema_name <> 'public'",
      ),
    )
    expect(rows.map((row) => row['name'])).toEqual([])
  })
})
