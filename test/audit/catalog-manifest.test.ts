import { describe, expect, it } from 'vitest'
import { catalogProblems, type Difference } from '../../src/audit/index.ts'
import type { DirectSession } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insideOf } from '../support/tamper.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)

const problems = () => worker.transaction(tester, catalogProblems, { readOnly: true })

/** What is found in the middle of a transaction of a superuser that is taken back. */
async function within(statement: string): Promise<Difference[]> {
  return await database.asSuperuser(async (session) => {
    await session.query('begin')
    await session.query(statement)
    const found = await insideOf(session).transaction(tester, catalogProblems)
    await session.query('rollback')
    return found
  })
}

/** Commits, and has the catalog recorded anew afterwards, so that each case begins with a clean one. */
async function afterwards(work: (session: DirectSession) => Promise<unknown>): Promise<Difference[]> {
  await database.asSuperuser(work)
  const found = await problems()
  await database.asSuperuser((session) =>
    session.query("select akashi_audit.record_catalog('ordered', 'the next case')"),
  )
  expect(await problems()).toEqual([])
  return found
}

const objects = (found: readonly Difference[]) => found.map(({ object }) => object)

const partition = `(select c.oid::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'akashi_audit.audit_logs'::regclass order by c.relname limit 1)`
const onPartition = (statement: string) =>
  `do $do$ begin execute format(${statement}, ${partition}); end $do$`

describe('an unchanged database', () => {
  it('has no differences, also with protected tables of an application', async () => {
    expect(await problems()).toEqual([])
    await database.asSuperuser((session) =>
      session.query(`create table shop (id int primary key, body text);
        create table parts (id int, at timestamptz, primary key (id, at)) partition by range (at);
        create table parts_1 partition of parts for values from ('2026-01-01') to ('2027-01-01');
        create function noted() returns trigger language plpgsql as 'begin return new; end';
        create trigger noted before update on shop for each row execute function noted();
        select akashi_audit.protect('shop'), akashi_audit.protect('parts', 'restricted', null, '{}', '{}', 'record_loss')`),
    )
    expect(await problems()).toEqual([])
  })

  it('has no differences after maintenance and administration', async () => {
    await database.asSuperuser(async (session) => {
      for (const statement of [
        'reindex schema akashi_audit',
        'reindex table pg_catalog.pg_proc',
        'vacuum (full, freeze) pg_catalog.pg_class, pg_catalog.pg_operator, pg_catalog.pg_proc',
        'vacuum freeze',
        'analyze',
        'grant select on akashi_audit.ledger_tiles to pg_monitor',
        'revoke select on akashi_audit.ledger_tiles from pg_monitor',
        'grant execute on function pg_catalog.pg_ls_dir(text) to akashi_reader',
        'create index on akashi_audit.audit_logs (user_id)',
        'drop index akashi_audit.audit_logs_user_id_idx',
        'create table members (user_id uuid references akashi_auth.users)',
        'alter table shop add column price numeric default 1',
      ])
        await session.query(statement)
      await session.query(
        "select akashi_lifecycle.create_partitions('akashi_audit.audit_logs', now() - interval '90 days', now())",
      )
    })
    await ledger.seal()
    // A grant and its end write the row of the relation twice, which nobody recorded.
    expect(objects(await problems())).toEqual(['relation akashi_audit.ledger_tiles'])
    await database.asSuperuser((session) =>
      session.query("select akashi_audit.record_catalog('ordered', 'a grant for monitoring')"),
    )
    expect(await problems()).toEqual([])
    await ledger.seal()
    expect(await ledger.verify({ catalog: true })).toMatchObject({ ok: true })
  })
})

const changed: readonly (readonly [kind: string, statement: string, object: RegExp])[] = [
  [
    'function body',
    "create or replace function akashi_audit.log_changes() returns trigger language plpgsql as 'begin return null; end'",
    /^function akashi_audit.log_changes\(\)$/,
  ],
  [
    'function that SQL is bound in',
    'create or replace function akashi_audit.seq_offset(trigger_depth integer) returns integer language sql immutable parallel safe return 0',
    /^function akashi_audit.seq_offset/,
  ],
  [
    'setting of a function',
    'alter function akashi_audit.record_action set search_path = public',
    /^function akashi_audit.record_action/,
  ],
  [
    'right of a function',
    'alter function akashi_auth.context_verified() security invoker',
    /^function akashi_auth.context_verified/,
  ],
  [
    'grant of a function',
    'grant execute on function akashi_audit.record_catalog(text, text) to public',
    /record_catalog/,
  ],
  [
    'function of its own',
    "create function akashi_audit.refuse_change(text) returns text language sql as 'select 1::text'",
    /^function akashi_audit.refuse_change\(text\)$/,
  ],
  [
    'condition of a trigger',
    `create or replace trigger akashi_audit_update after update on shop referencing old table as old_rows new table as new_rows
       for each statement when (session_user <> 'mallory') execute function akashi_audit.log_changes('internal', '{id}', '', '{}', '{}', '{}');
     alter table shop enable always trigger akashi_audit_update`,
    /^trigger public.shop akashi_audit_update$/,
  ],
  [
    'columns of a trigger',
    `drop trigger akashi_audit_update on shop;
     create trigger akashi_audit_update after update of id on shop for each statement
       execute function akashi_audit.log_changes('internal', '{id}', '', '{}', '{}', '{}');
     alter table shop enable always trigger akashi_audit_update`,
    /^trigger public.shop akashi_audit_update$/,
  ],
  [
    'trigger that is gone',
    'drop trigger akashi_audit_insert on shop',
    /^trigger public.shop akashi_audit_insert$/,
  ],
  [
    'trigger of a partition',
    'alter table parts_1 disable trigger akashi_audit_delete',
    /^trigger public.parts_1/,
  ],
  [
    'trigger on the trail',
    'create trigger a_filter before insert on akashi_audit.audit_logs for each row execute function noted()',
    /^trigger akashi_audit.audit_logs a_filter$/,
  ],
  [
    'trigger on one partition of the trail',
    onPartition(`'create trigger a_filter before insert on %s for each row execute function public.noted()'`),
    /^trigger akashi_audit.audit_logs_\w+ a_filter$/,
  ],
  [
    'rule',
    "create rule r as on insert to akashi_audit.audit_logs where new.table_name = 'shop' do instead nothing",
    /^rule akashi_audit.audit_logs r$/,
  ],
  [
    'column that is not part of entries',
    'alter table akashi_audit.audit_logs add column approved_by text',
    /audit_logs approved_by$/,
  ],
  [
    'default',
    "alter table akashi_audit.audit_logs alter column db_user set default 'alice'",
    /column akashi_audit.audit_logs db_user$/,
  ],
  [
    'default of one partition',
    onPartition(`'alter table %s alter column xid set default ''5'''`),
    /^column akashi_audit.audit_logs_\w+ xid$/,
  ],
  [
    'type of a column',
    'alter table akashi_audit.verified_heads alter column epoch type bigint',
    /verified_heads epoch$/,
  ],
  [
    'key',
    'alter table akashi_audit.audit_logs drop constraint audit_logs_pkey',
    /^constraint akashi_audit.audit_logs audit_logs_pkey$/,
  ],
  [
    'key that is not unique',
    "update pg_index set indisunique = false where indexrelid = 'akashi_audit.ledger_entries_pkey'::regclass",
    /^index akashi_audit.ledger_entries ledger_entries_pkey$/,
  ],
  [
    'index that is not used',
    "update pg_index set indisvalid = false where indexrelid = 'akashi_audit.ledger_entries_row_idx'::regclass",
    /^index akashi_audit.ledger_entries ledger_entries_row_idx$/,
  ],
  [
    'policy',
    'create policy p on akashi_audit.audit_logs as restrictive for select using (id is null)',
    /^policy akashi_audit.audit_logs p$/,
  ],
  [
    'row security',
    'alter table akashi_audit.ledger_entries no force row level security',
    /^relation akashi_audit.ledger_entries$/,
  ],
  [
    'owner',
    'alter table akashi_audit.ledger_tiles owner to akashi_worker',
    /^relation akashi_audit.ledger_tiles$/,
  ],
  ['grant', 'grant update on akashi_audit.audit_logs to akashi_worker', /^relation akashi_audit.audit_logs$/],
  [
    'view',
    `create or replace view akashi_audit.logs with (security_invoker = true) as
       select log, schema_name, table_name from (values ('audit_logs', 'akashi_audit', 'audit_logs')) as sealed (log, schema_name, table_name)`,
    /^rule akashi_audit.logs _RETURN$/,
  ],
  [
    'view in place of a table',
    'alter table akashi_audit.losses rename to lost; create view akashi_audit.losses as select * from akashi_audit.lost',
    /^relation akashi_audit.losses$/,
  ],
  ['schema', 'alter schema akashi_security owner to akashi_worker', /^schema akashi_security$/],
  ['role', 'alter role akashi_worker bypassrls', /^role akashi_worker$/],
  [
    'operator of the server',
    `create function public.never(bytea, bytea) returns boolean language sql immutable as 'select false';
     set local allow_system_table_mods = on;
     update pg_operator set oprcode = 'public.never(bytea,bytea)'::regprocedure where oid = '<>(bytea,bytea)'::regoperator`,
    /^pg_operator <>/,
  ],
  [
    'function of the server',
    `set local allow_system_table_mods = on;
     update pg_proc set prolang = (select oid from pg_language where lanname = 'sql'), prosrc = 'select false' where oid = 'byteane(bytea,bytea)'::regprocedure`,
    /^function byteane/,
  ],
  [
    'function among those of the server',
    `set local allow_system_table_mods = on;
     create function pg_catalog.sha256(text) returns bytea language sql as 'select null::bytea'`,
    /^function pg_catalog.sha256/,
  ],
  [
    'language of the server',
    "update pg_language set laninline = 0 where lanname = 'plpgsql'",
    /^pg_language plpgsql/,
  ],
  [
    'type of the server',
    `update pg_type set typoutput = 'varcharout'::regproc where oid = 'text'::regtype`,
    /^pg_type text/,
  ],
]

describe('an object that differs from the manifest', () => {
  it.each(changed)('is reported: %s', async (_, statement, object) => {
    const found = await within(statement)
    expect(objects(found)).toContainEqual(expect.stringMatching(object))
  })
})

describe('an object of others beside those of the server', () => {
  it.each([
    [
      'a cast between types of the server, which is in no schema',
      `create function public.told(jsonb) returns text language sql immutable as $$ select replace(jsonb_out($1)::text, 'forged', 'true') $$;
       create cast (jsonb as text) with function public.told(jsonb)`,
      'pg_cast jsonb as text',
    ],
    [
      'an operator of pg_catalog',
      `create function public.yes(varchar, text) returns boolean language sql immutable as 'select true';
       set local allow_system_table_mods = on;
       create operator pg_catalog.= (leftarg = varchar, rightarg = text, function = public.yes)`,
      'pg_operator =',
    ],
    [
      'a function of an operator family',
      'alter operator family pg_catalog.integer_ops using btree add function 1 (int8, numeric) pg_catalog.btint8cmp(int8, int8)',
      'pg_amproc btint8cmp',
    ],
  ])('is reported when expressions of a proof can meet it: %s', async (_, statement, object) => {
    expect(await within(statement)).toContainEqual({
      object,
      detail: expect.stringMatching(/^transaction \d+ changed it, which is not recorded/),
    })
  })

  it('is none where it changes no expression over types of the server', async () => {
    expect(
      await within(`create cast (varchar as uuid) with inout as implicit;
        create type public.colour as enum ('red'); create function public.shown(public.colour) returns text language sql as 'select null';
        create cast (public.colour as text) with function public.shown(public.colour)`),
    ).toEqual([])
  })
})

describe('a table of another schema', () => {
  it('is reported when a partition of the trail loses rows by a trigger', async () => {
    const found = await within(`
      create table public.outside (like akashi_audit.audit_logs including defaults including constraints);
      create function public.lose() returns trigger language plpgsql as 'begin return null; end';
      select akashi_audit.guard('public.outside');
      alter table akashi_audit.audit_logs attach partition public.outside for values from ('2035-01-01') to ('2035-02-01');
      create trigger lose before insert on public.outside for each row execute function public.lose()`)
    expect(objects(found)).toContainEqual(expect.stringMatching(/^trigger public.outside lose$/))
  })

  it('is reported when it inherits from the ledger', async () => {
    const found = await within('create table public.outside () inherits (akashi_audit.ledger_entries)')
    expect(objects(found)).toContain('relation public.outside')
  })

  it.each([
    ['pg_locks', 'select * from pg_lock_status() where false'],
    [
      'pg_prepared_xacts',
      `select p.transaction, p.gid, p.prepared, null::name as owner, null::name as database
       from pg_prepared_xact() p (transaction, gid, prepared, ownerid, dbid) where false`,
    ],
    [
      'pg_roles',
      `select rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit,
         '********'::text as rolpassword, rolvaliduntil, rolbypassrls, null::text[] collate "C" as rolconfig, oid from pg_catalog.pg_authid`,
    ],
  ])('is reported when it is the view %s of the server and was replaced', async (view, query) => {
    const found = await within(
      `set local allow_system_table_mods = on; create or replace view pg_catalog.${view} as ${query}`,
    )
    expect(objects(found)).toContain(`view pg_catalog.${view}`)
  })
})

describe('an object that was changed and put back', () => {
  it.each<readonly [string, readonly string[], RegExp]>([
    [
      'a trigger of a protected table, within one transaction',
      [
        'begin',
        'alter table shop disable trigger akashi_audit_update',
        "update shop set body = 'forged'",
        'alter table shop enable always trigger akashi_audit_update',
        'commit',
      ],
      /^trigger public.shop akashi_audit_update$/,
    ],
    [
      'a rule on the trail that lived for one statement',
      [
        'begin',
        'create rule r as on insert to akashi_audit.audit_logs do instead nothing',
        'drop rule r on akashi_audit.audit_logs',
        'commit',
        'vacuum',
      ],
      /^relation akashi_audit.audit_logs$/,
    ],
    [
      'a guard of a partition',
      [
        onPartition(`'alter table %s disable trigger refuse_change'`),
        onPartition(`'alter table %s enable always trigger refuse_change'`),
        'vacuum freeze',
      ],
      /^trigger akashi_audit.audit_logs_\w+ refuse_change$/,
    ],
    [
      'a policy',
      [
        'drop policy audit_logs_staff on akashi_audit.audit_logs',
        'create policy audit_logs_staff on akashi_audit.audit_logs for select to akashi_worker, akashi_security_admin using (true)',
      ],
      /^policy akashi_audit.audit_logs audit_logs_staff$/,
    ],
    [
      'a default',
      [
        "alter table akashi_audit.audit_logs alter column db_user set default 'alice'",
        'alter table akashi_audit.audit_logs alter column db_user set default session_user',
      ],
      /^column akashi_audit.audit_logs db_user$/,
    ],
  ])('is reported: %s', async (_, statements, object) => {
    const found = await afterwards(async (session) => {
      for (const statement of statements) await session.query(statement)
    })
    expect(objects(found)).toContainEqual(expect.stringMatching(object))
  })

  it('is reported: the function behind the triggers', async () => {
    const found = await afterwards(async (session) => {
      const { rows } = await session.query<{ text: string }>(
        "select pg_get_functiondef('akashi_audit.log_changes()'::regprocedure) as text",
      )
      await session.query(
        "create or replace function akashi_audit.log_changes() returns trigger language plpgsql as 'begin return null; end'",
      )
      await session.query(rows[0]?.text ?? '')
    })
    expect(found).toEqual([
      {
        object: 'function akashi_audit.log_changes()',
        detail: expect.stringMatching(/^transaction \d+ changed it, which is not recorded/),
      },
    ])
  })
})

describe('a record of the catalog', () => {
  it('raises an alarm when an administrator makes it', async () => {
    const { rows } = await database.asSuperuser(async (session) => {
      await session.query("select akashi_audit.record_catalog('ordered', 'an index of ours')")
      return await session.query<{ severity: string; details: unknown }>(
        "select severity, event_details as details from akashi_security.security_events where event_type = 'catalog_recorded' order by seq desc limit 1",
      )
    })
    expect(rows).toEqual([{ severity: 'critical', details: { reason: 'an index of ours' } }])
  })

  it('of a migration accepts what the migration changed, also in subtransactions, and nothing from before', async () => {
    const found = await afterwards(async (session) => {
      await session.query('alter table akashi_audit.audit_logs disable trigger refuse_change')
      await session.query('alter table akashi_audit.audit_logs enable always trigger refuse_change')
      await session.query('begin')
      await session.query(
        "insert into akashi_lifecycle.schema_migrations (version, name, checksum) values (999999, 'a_test', 'x')",
      )
      await session.query("alter table akashi_audit.losses alter column sqlstate set default 'a'")
      await session.query('alter table akashi_audit.losses alter column sqlstate drop default')
      await session.query(`do $$ begin
        alter policy losses_read on akashi_audit.losses to akashi_worker;
        alter policy losses_read on akashi_audit.losses to akashi_worker, akashi_security_admin;
        exception when others then raise; end $$`)
      await session.query('select akashi_audit.record_migration()')
      await session.query('commit')
    })
    expect(objects(found)).toEqual(['trigger akashi_audit.audit_logs refuse_change'])
  })

  it('of a migration is refused without one, and an event with one', async () => {
    await expect(
      database.asSuperuser((session) => session.query('select akashi_audit.record_migration()')),
    ).rejects.toMatchObject({ code: 'conflict' })
    const { rows } = await database.asSuperuser((session) =>
      session.query(
        `select severity, event_details -> 'migrations' as migrations from akashi_security.security_events
         where event_type = 'catalog_recorded' and action_performed = 'migrate'`,
      ),
    )
    expect(rows).toEqual([{ severity: 'high', migrations: ['999999_a_test'] }])
  })

  it('of a partition does not accept an earlier change of it', async () => {
    const found = await afterwards(async (session) => {
      await session.query(onPartition(`'alter table %s disable trigger refuse_change'`))
      await session.query(onPartition(`'alter table %s enable always trigger refuse_change'`))
      await session.query(`select akashi_audit.record_relations('partition', array[${partition}::regclass])`)
    })
    expect(objects(found)).toEqual([
      expect.stringMatching(/^trigger akashi_audit.audit_logs_\w+ refuse_change$/),
    ])
  })

  it('raises an alarm when protecting a table again replaces triggers that were changed without a record', async () => {
    const { rows } = await database.asSuperuser(async (session) => {
      await session.query('alter table shop disable trigger akashi_audit_update')
      await session.query("select akashi_audit.protect('shop')")
      return await session.query<{ severity: string; unrecorded: unknown }>(
        `select severity, event_details -> 'unrecorded' as unrecorded from akashi_security.security_events
         where event_type = 'catalog_recorded' order by seq desc limit 1`,
      )
    })
    expect(rows).toMatchObject([
      { severity: 'critical', unrecorded: [{ table: 'public.shop', trigger: 'akashi_audit_update' }] },
    ])
  })

  it('is valid only if its row of the trail was sealed', async () => {
    await ledger.seal()
    const forge = (row: string) => `
      alter table akashi_audit.ledger_tiles set (fillfactor = 90);
      insert into akashi_audit.catalog_records (row) select ${row} from akashi_audit.catalog_records
      where row -> 'detail' ? 'transactions' order by number desc limit 1`
    const forged = await within(
      forge(
        `jsonb_set(row, '{detail,transactions}', row -> 'detail' -> 'transactions' || to_jsonb(pg_current_xact_id()::text))`,
      ),
    )
    expect(forged.map(({ detail }) => detail)).toEqual([
      'it is not what was sealed',
      expect.stringMatching(/^transaction \d+ changed it/),
    ])
    const invented = await within(forge(`jsonb_set(row, '{id}', to_jsonb(gen_random_uuid()))`))
    expect(invented.map(({ detail }) => detail)).toContain('the trail has no such row')
  })

  it('is valid only with the event of its transaction, unless it is one of relations or the first', async () => {
    const forged = await within(`
      alter table akashi_audit.losses disable trigger refuse_change;
      alter table akashi_audit.losses enable always trigger refuse_change;
      with own as (
        insert into akashi_audit.audit_logs (context_verified, action, event_type, detail)
        values (false, 'migrate', 'catalog_recorded', jsonb_build_object('added', jsonb_build_array(pg_current_xact_id()::text)))
        returning *)
      insert into akashi_audit.catalog_records (row) select to_jsonb(own) from own`)
    expect(forged).toEqual([
      {
        object: expect.stringMatching(/^catalog record /),
        detail: expect.stringMatching(/^no event of its transaction tells of it/),
      },
      {
        object: 'trigger akashi_audit.losses refuse_change',
        detail: expect.stringMatching(/is not recorded/),
      },
    ])
  })

  it('is required for a catalog of another cluster', async () => {
    const found = await within(
      'alter table akashi_audit.catalog_records disable trigger refuse_change; delete from akashi_audit.catalog_records',
    )
    expect(found.at(-1)).toEqual({
      object: 'catalog',
      detail: expect.stringMatching(/objects were written by transactions that are not recorded/),
    })
  })
})
