import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { reportLosses, settleLosses, unsettledLosses } from '../../src/audit/index.ts'
import { anonymous } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const worker = database.open('worker')
const officer = database.open('security_admin')
const app = database.open('app')
const ledger = testLedger(worker)

const run = (...statements: string[]) =>
  database.asSuperuser(async (session) => {
    for (const statement of statements) await session.query(statement)
  })

async function ask<R>(text: string): Promise<R[]> {
  return await database.asSuperuser(async (session) => (await session.query<R>(text)).rows)
}

// What the database was made with may be older than a row may wait for its entry.
beforeAll(() => ledger.seal())

/** Ways in which the trail cannot be written, and back. */
const failures: readonly (readonly [name: string, breakIt: string, mend: string, sqlstate: string])[] = [
  [
    'the partition is missing',
    "do $$ begin execute (select format('alter table akashi_audit.audit_logs detach partition %s', inhrelid::regclass) from pg_inherits, akashi_lifecycle.partition_bounds(inhrelid::regclass) b where inhparent = 'akashi_audit.audit_logs'::regclass and now() between b.lower and b.upper); end $$",
    "do $$ begin execute format('alter table akashi_audit.audit_logs attach partition akashi_audit.%I for values from (%L) to (%L)', akashi_lifecycle.partition_name('audit_logs', now(), 'month'), akashi_lifecycle.partition_from(now(), 'month'), akashi_lifecycle.partition_to(now(), 'month')); end $$",
    '23514',
  ],
  [
    'a constraint refuses every row',
    'alter table akashi_audit.audit_logs add constraint full_up check (false) not valid',
    'alter table akashi_audit.audit_logs drop constraint full_up',
    '23514',
  ],
  [
    'the right to write it was revoked',
    'revoke insert on akashi_audit.audit_logs from akashi_owner',
    'grant insert on akashi_audit.audit_logs to akashi_owner',
    '42501',
  ],
  [
    'the sequence has come to its end',
    'alter sequence akashi_audit.audit_logs_seq maxvalue 9000000000000000000 restart 9000000000000000000; select nextval($$akashi_audit.audit_logs_seq$$)',
    'alter sequence akashi_audit.audit_logs_seq no maxvalue restart 900000000',
    '2200H',
  ],
  [
    'a function that it needs is gone',
    'alter function akashi_audit.request_context() rename to request_context_gone',
    'alter function akashi_audit.request_context_gone() rename to request_context',
    '42883',
  ],
]

const setup = `create table strict (id int primary key, note text); create table lenient (like strict including all);
  grant select, insert, update, delete on strict, lenient to akashi_app; select akashi_audit.protect('strict');
  select akashi_audit.protect('lenient', on_failure => 'record_loss')`

describe('a table that prefers a loss to a refusal', () => {
  afterEach(async () => {
    await settleLosses(officer, tester, 'looked into')
    expect(await unsettledLosses(worker, tester)).toEqual([])
  })

  it('is recorded like any other as long as the trail can be written', async () => {
    await run(setup)
    await app.transaction(anonymous('test', { requestId: 'r-1' }), (session) =>
      session.query("insert into public.lenient select i, 'x' from generate_series(1, 200) i"),
    )
    expect(
      await ask(
        "select count(*)::int as rows, min(request_id) as request from akashi_audit.audit_logs where table_name = 'lenient'",
      ),
    ).toEqual([{ rows: 200, request: 'r-1' }])
    expect(await unsettledLosses(worker, tester)).toEqual([])
  })

  it.each(failures)('goes through when %s, and is counted', async (_, breakIt, mend, sqlstate) => {
    await run('truncate strict, lenient', "insert into lenient values (1, 'a'), (2, 'b')", breakIt)
    try {
      await expect(
        app.transaction(tester, (session) =>
          session.query("insert into public.strict values (3, 'refused')"),
        ),
      ).rejects.toThrow()
      await app.transaction(anonymous('test', { requestId: 'r-7' }), async (session) => {
        await session.query("insert into public.lenient select i, 'c' from generate_series(3, 102) i")
        await session.query("update public.lenient set note = 'd' where id <= 2")
        await session.query('delete from public.lenient where id = 1')
      })
      await run('truncate lenient')
    } finally {
      await run(mend)
    }
    expect(await ask('select count(*)::int as rows from strict')).toEqual([{ rows: 0 }])
    const losses = await ask<Record<string, unknown>>(
      'select operation, row_count::int as rows, sqlstate, request_id, db_user from akashi_audit.losses where settled_at is null order by created_at',
    )
    const byApp = { sqlstate, request_id: 'r-7', db_user: 'akashi_app' }
    expect(losses).toEqual([
      { operation: 'INSERT', rows: 100, ...byApp },
      { operation: 'UPDATE', rows: 2, ...byApp },
      { operation: 'DELETE', rows: 1, ...byApp },
      { operation: 'TRUNCATE', rows: null, sqlstate, request_id: null, db_user: 'postgres' },
    ])
    const problems = await ledger.problems()
    expect(problems).toMatchObject([{ kind: 'trigger', id: 'public.lenient' }])
    expect(problems[0]?.detail).toContain('4 statements (103 rows) were made but not recorded')

    expect(await reportLosses(worker, tester)).toBe(4)
    expect(await reportLosses(worker, tester)).toBe(0)
    expect(
      await ask(
        "select result, error_code, detail ->> 'operation' as operation from akashi_audit.audit_logs where event_type = 'audit_loss' order by seq desc limit 4",
      ),
    ).toEqual(
      ['TRUNCATE', 'DELETE', 'UPDATE', 'INSERT'].map((operation) => ({
        result: 'FAILURE',
        error_code: sqlstate,
        operation,
      })),
    )
    expect(
      await ask(
        "select count(*)::int as events from akashi_security.security_events where event_type = 'audit_loss' and severity = 'critical' and created_at > now() - interval '1 minute'",
      ),
    ).not.toEqual([{ events: 0 }])
  })

  it('is refused when not even the loss can be written', async () => {
    await run(
      'revoke insert on akashi_audit.audit_logs from akashi_owner',
      'alter table akashi_audit.losses rename to losses_gone',
    )
    try {
      await expect(
        app.transaction(tester, (session) =>
          session.query("insert into public.lenient values (900, 'refused')"),
        ),
      ).rejects.toThrow()
    } finally {
      await run(
        'alter table akashi_audit.losses_gone rename to losses',
        'grant insert on akashi_audit.audit_logs to akashi_owner',
      )
    }
    expect(await ask('select count(*)::int as rows from lenient where id = 900')).toEqual([{ rows: 0 }])
  })

  it('takes a conflict between transactions for what it is: the change fails and can be tried again', async () => {
    await run(
      `create function conflict() returns trigger language plpgsql as $$ begin raise exception 'again' using errcode = 'serialization_failure'; end $$;
       create trigger conflict before insert on akashi_audit.audit_logs for each row execute function conflict()`,
    )
    try {
      await expect(
        database.asSuperuser((session) => session.query("insert into lenient values (901, 'refused')")),
      ).rejects.toThrow()
      expect(await unsettledLosses(worker, tester)).toEqual([])
    } finally {
      await run('drop function conflict cascade')
    }
  })

  it('leaves what is lost on record, whoever would rather not have it', async () => {
    for (const statement of [
      'delete from akashi_audit.losses',
      'truncate akashi_audit.losses',
      "update akashi_audit.losses set message = 'nothing'",
      'update akashi_audit.losses set settled_at = null, settled_by = null, explanation = null where settled_at is not null',
    ]) {
      await expect(run(statement), statement).rejects.toMatchObject({ code: 'append_only' })
    }
    await expect(settleLosses(officer, tester, '')).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(settleLosses(worker, tester, 'not mine to say')).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('is chosen by name', async () => {
    await expect(run("select akashi_audit.protect('strict', on_failure => 'shrug')")).rejects.toThrow()
    await run("select akashi_audit.protect('lenient')")
    expect(await ledger.problems()).toEqual([])
    await run('alter table lenient disable trigger akashi_audit_insert')
    expect(await ledger.problems()).toMatchObject([{ kind: 'trigger', id: 'public.lenient' }])
  })
})
