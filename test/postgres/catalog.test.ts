import { describe, expect, it } from 'vitest'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()

/** The schemas that hold what has rights; the job queue's is the library's own, and runs as the worker alone. */
const ours = `(select oid from pg_namespace where nspname like 'akashi\\_%' and nspname <> 'akashi_jobs')`

async function ask<R = Record<string, unknown>>(text: string): Promise<R[]> {
  return await database.asSuperuser(async (session) => (await session.query<R>(text)).rows)
}

async function broken(statement: string, text: string): Promise<unknown[]> {
  return await database.asSuperuser(async (session) => {
    await session.query(`begin; ${statement}`)
    const { rows } = await session.query(text)
    await session.query('rollback')
    return rows
  })
}

/** Each finds what would resolve a name, or run code, of a caller's choice; `breaks` makes one that it must find. */
const rules: readonly { readonly name: string; readonly finds: string; readonly breaks: string }[] = [
  {
    name: 'a function whose path is not pinned, and whose body is not bound',
    finds: `select oid::regprocedure::text from pg_proc where pronamespace in ${ours} and prosqlbody is null
      and not coalesce(proconfig, '{}') @> array['search_path=pg_catalog, pg_temp']`,
    breaks: `create function akashi_auth.loose() returns text language sql set search_path = '' as 'select 1::text'`,
  },
  {
    name: 'a trigger function, or one that a policy calls, that does not turn row security on',
    finds: `select p.oid::regprocedure::text from pg_proc p where p.pronamespace in ${ours}
      and (p.prorettype = 'trigger'::regtype or exists (
        select from pg_depend d where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid))
      and p.oid <> 'akashi_auth.try_uuid(text)'::regprocedure
      and not coalesce(p.proconfig, '{}') @> array['row_security=on']`,
    breaks: `create function akashi_auth.loose() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as 'begin return null; end'`,
  },
  {
    name: 'a function that everybody may call',
    finds: `select p.oid::regprocedure::text from pg_proc p cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
      where p.pronamespace in ${ours} and a.grantee = 0`,
    breaks: `create function akashi_auth.loose() returns text language sql set search_path = pg_catalog, pg_temp as 'select 1::text'`,
  },
  {
    name: 'a default that would give everybody the next function',
    finds: `select r.rolname from pg_roles r where r.rolname in ('akashi_owner', 'akashi_policy', 'akashi_nobody') and not exists (
      select from pg_default_acl d where d.defaclrole = r.oid and d.defaclnamespace = 0 and d.defaclobjtype = 'f'
        and not exists (select from aclexplode(d.defaclacl) a where a.grantee = 0))`,
    breaks: 'alter default privileges for role akashi_policy grant execute on functions to public',
  },
  {
    name: 'a role other than the owner that may create in a schema of ours',
    finds: `select n.nspname, a.grantee::regrole::text from pg_namespace n cross join lateral aclexplode(n.nspacl) a
      where n.oid in ${ours} and a.privilege_type = 'CREATE' and a.grantee <> n.nspowner`,
    breaks: 'grant create on schema akashi_audit to akashi_worker',
  },
  {
    name: 'an object of a role other than the three that own',
    finds: `select 'type ' || oid::regtype from pg_type where typnamespace in ${ours} and typrelid = 0 and typelem = 0
        and typowner <> 'akashi_owner'::regrole
      union all select 'function ' || oid::regprocedure from pg_proc where pronamespace in ${ours}
        and proowner not in ('akashi_owner'::regrole, 'akashi_policy'::regrole, 'akashi_nobody'::regrole)
      union all select 'relation ' || oid::regclass from pg_class where relnamespace in ${ours} and relkind <> 'i'
        and relowner <> 'akashi_owner'::regrole and oid <> 'akashi_lifecycle.schema_migrations'::regclass
        and not (relkind = 'v' and relowner = 'akashi_policy'::regrole)`,
    breaks: `create type akashi_auth.loose as enum ('a')`,
  },
  {
    name: 'a function of the role without rights that is not the one that renders',
    finds: `select oid::regprocedure::text from pg_proc where proowner = 'akashi_nobody'::regrole and oid <> 'akashi_audit.row_json(anyelement)'::regprocedure`,
    breaks: 'alter function akashi_audit.record_key(jsonb, text[]) owner to akashi_nobody',
  },
  {
    name: 'a right of the role that renders',
    finds: `select classid::regclass, objid from pg_shdepend where refobjid = 'akashi_nobody'::regrole and deptype = 'a' and classid not in ('pg_default_acl'::regclass, 'pg_proc'::regclass)
      union all select 'pg_auth_members'::regclass, roleid from pg_auth_members where member = 'akashi_nobody'::regrole`,
    breaks: 'grant akashi_reader to akashi_nobody',
  },
  {
    name: 'an operator, a cast or an operator class of ours',
    finds: `select 'operator ' || oid::regoperator from pg_operator where oprnamespace in ${ours} or oprcode in (select oid from pg_proc where pronamespace in ${ours})
      union all select 'cast ' || castsource::regtype from pg_cast where castfunc in (select oid from pg_proc where pronamespace in ${ours}) or castsource in (select oid from pg_type where typnamespace in ${ours})
      union all select 'operator class ' || opcname from pg_opclass where opcnamespace in ${ours}`,
    breaks: 'create operator akashi_auth.=== (leftarg = text, rightarg = text, function = texteq)',
  },
  {
    name: 'a trigger or a rule on a table of ours that calls a function of somebody else',
    finds: `select t.tgrelid::regclass || '.' || t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
      where c.relnamespace in ${ours} and not t.tgisinternal and p.pronamespace not in ${ours}
      union all select r.ev_class::regclass || '.' || r.rulename from pg_rewrite r join pg_class c on c.oid = r.ev_class
      where c.relnamespace in ${ours} and c.relkind <> 'v'`,
    breaks: 'create rule loose as on insert to akashi_audit.audit_logs do instead nothing',
  },
  {
    // The two show columns of a user to whom the table is closed.
    name: 'a view that reads with the rights of its owner, but for two',
    finds: `select oid::regclass::text from pg_class where relnamespace in ${ours} and relkind = 'v'
      and not coalesce(reloptions, '{}') && array['security_invoker=true', 'security_invoker=on']
      and oid not in ('akashi_auth.profiles'::regclass, 'akashi_auth.masked_users'::regclass)`,
    breaks: 'create view akashi_audit.loose as select 1 as one',
  },
  {
    name: 'a column, default, check or index that takes a type, function or operator of somebody else',
    finds: `select distinct d.classid::regclass::text, d.objid, pg_describe_object(d.refclassid, d.refobjid, 0) from pg_depend d
      where d.deptype in ('n', 'a') and d.refobjid >= 16384
        and (d.refclassid, d.refobjid) not in (select 'pg_proc'::regclass::oid, oid from pg_proc where pronamespace in ${ours})
        and (d.refclassid, d.refobjid) not in (select 'pg_type'::regclass::oid, oid from pg_type where typnamespace in ${ours})
        and d.refclassid in ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_operator'::regclass, 'pg_cast'::regclass)
        and case d.classid
          when 'pg_class'::regclass then (select relnamespace from pg_class where oid = d.objid)
          when 'pg_attrdef'::regclass then (select c.relnamespace from pg_attrdef a join pg_class c on c.oid = a.adrelid where a.oid = d.objid)
          when 'pg_constraint'::regclass then (select connamespace from pg_constraint where oid = d.objid)
          when 'pg_policy'::regclass then (select c.relnamespace from pg_policy p join pg_class c on c.oid = p.polrelid where p.oid = d.objid)
          when 'pg_proc'::regclass then (select pronamespace from pg_proc where oid = d.objid) end in ${ours}`,
    breaks: `create function public.loose() returns text language sql as $$ select 'x' $$; alter table akashi_audit.witnesses add column loose text default public.loose()`,
  },
]

describe.each(rules)('$name', ({ finds, breaks }) => {
  it('does not occur', async () => {
    expect(await ask(finds)).toEqual([])
  })

  it('is detected when it occurs', async () => {
    expect(await broken(breaks, finds)).not.toEqual([])
  })
})
