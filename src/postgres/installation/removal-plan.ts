import type { DirectSession } from '../types.ts'
import type { Obstacle } from './preflight.ts'
import { ownRoles, ownSchemas } from './roles.ts'

/** The parts of Akashi in a database and its server, and what a removal would do with them. */
export interface RemovalPlan {
  readonly database: string
  readonly schemas: readonly string[]
  /** Existing roles. */
  readonly roles: readonly string[]
  /** Other databases of the server that use the roles, which therefore stay. */
  readonly usedBy: readonly string[]
  /** Those of this database, and those of the server that no other database uses. */
  readonly slots: readonly string[]
  readonly publications: readonly string[]
  readonly eventTriggers: readonly string[]
  /** On tables of the application. */
  readonly triggers: readonly { readonly table: string; readonly name: string }[]
  /** Tables of the application that belong to one of the roles, and their new owners. */
  readonly ownership: readonly { readonly table: string; readonly owner: string }[]
  /** Logins that were given one of the roles. */
  readonly members: readonly string[]
  readonly obstacles: readonly Obstacle[]
  readonly remarks: readonly string[]
}

interface Found extends Omit<RemovalPlan, 'obstacles' | 'remarks'> {
  readonly loginName: string
  readonly superuser: boolean
  readonly connections: readonly string[]
  readonly dependents: readonly string[]
  readonly mentions: readonly string[]
  readonly foreignOwners: readonly string[]
  readonly unusable: readonly string[]
  readonly ownSlots: boolean
}

/** $1 roles, $2 schemas. Names come quoted where necessary, ready for a statement. */
const planSql = `
  with own_roles as (select oid, rolname from pg_roles where rolname = any ($1)),
  used_by as (
    select distinct d.datname::text from pg_shdepend s join own_roles r on r.oid = s.refobjid
    join pg_database d on d.oid = s.dbid
    where s.refclassid = 'pg_authid'::regclass and d.datname <> current_database()
  ),
  own_schemas as (select oid, nspname from pg_namespace where nspname = any ($2)),
  -- What an object of the application can depend on.
  own_objects as (
    select 'pg_proc'::regclass as classid, p.oid from pg_proc p join own_schemas s on s.oid = p.pronamespace
    union all select 'pg_class'::regclass, c.oid from pg_class c join own_schemas s on s.oid = c.relnamespace
    union all select 'pg_type'::regclass, t.oid from pg_type t join own_schemas s on s.oid = t.typnamespace
  ),
  foreign_triggers as (
    select t.tgrelid, t.oid, t.tgname from pg_trigger t
    join pg_proc p on p.oid = t.tgfoid join own_schemas f on f.oid = p.pronamespace
    join pg_class c on c.oid = t.tgrelid
    where not t.tgisinternal and t.tgparentid = 0 and not exists (select from own_schemas s where s.oid = c.relnamespace)
  ),
  given as (
    select c.oid, c.relowner, case when o.rolname = 'pg_database_owner' then (select datdba from pg_database where datname = current_database())
                       else n.nspowner end as owner
    from pg_class c join own_roles r on r.oid = c.relowner
    join pg_namespace n on n.oid = c.relnamespace join pg_roles o on o.oid = n.nspowner
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not like 'pg\\_%'
      and not exists (select from own_schemas s where s.oid = n.oid)
  ),
  dependents as (
    select d.classid, d.objid, d.objsubid
    from pg_depend d join own_objects o on o.classid = d.refclassid and o.oid = d.refobjid
    where d.deptype in ('n', 'a') and not exists (select from own_objects b where b.classid = d.classid and b.oid = d.objid)
      and not (d.classid = 'pg_trigger'::regclass and exists (select from foreign_triggers t where t.oid = d.objid))
      and d.classid <> 'pg_default_acl'::regclass
      and not exists (
        -- Parts of tables of ours.
        select from pg_class c join own_schemas s on s.oid = c.relnamespace
        where c.oid = case d.classid
            when 'pg_trigger'::regclass then (select tgrelid from pg_trigger where oid = d.objid)
            when 'pg_policy'::regclass then (select polrelid from pg_policy where oid = d.objid)
            when 'pg_rewrite'::regclass then (select ev_class from pg_rewrite where oid = d.objid)
            when 'pg_constraint'::regclass then (select conrelid from pg_constraint where oid = d.objid)
            when 'pg_attrdef'::regclass then (select adrelid from pg_attrdef where oid = d.objid)
            when 'pg_class'::regclass then d.objid end)
      and not (d.classid = 'pg_type'::regclass and exists (select from pg_type t join own_schemas s on s.oid = t.typnamespace where t.oid = d.objid))
      and not (d.classid = 'pg_class'::regclass and exists (select from pg_class c where c.oid = d.objid and c.relkind in ('t', 'i', 'I') and
            exists (select from pg_namespace n where n.oid = c.relnamespace and n.nspname = 'pg_toast')))
      and d.classid <> 'pg_event_trigger'::regclass
      and not (d.classid = 'pg_publication_rel'::regclass and exists (
        select from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
        where r.oid = d.objid and p.pubname like 'akashi\\_%'))
  )
  select current_database()::text as database, quote_ident(session_user) as "loginName",
    (select rolsuper from pg_roles where rolname = session_user) as superuser,
    array(select nspname::text from own_schemas order by 1) as schemas,
    array(select rolname::text from own_roles order by 1) as roles,
    array(select datname from used_by order by 1) as "usedBy",
    array(select slot_name::text from pg_replication_slots
          where slot_name like 'akashi\\_%'
            and (database = current_database() or database is null and not exists (select from used_by)) order by 1) as slots,
    array(select quote_ident(pubname) from pg_publication where pubname like 'akashi\\_%' order by 1) as publications,
    array(select quote_ident(e.evtname) from pg_event_trigger e join pg_proc p on p.oid = e.evtfoid
          join own_schemas s on s.oid = p.pronamespace order by 1) as "eventTriggers",
    coalesce((select json_agg(json_build_object('table', tgrelid::regclass::text, 'name', quote_ident(tgname)) order by tgrelid::regclass::text, tgname)
              from foreign_triggers), '[]'::json) as triggers,
    coalesce((select json_agg(json_build_object('table', g.oid::regclass::text, 'owner', quote_ident(r.rolname)) order by g.oid)
              from given g join pg_roles r on r.oid = g.owner), '[]'::json) as ownership,
    array(select distinct m.rolname::text from pg_auth_members a join own_roles r on r.oid = a.roleid
          join pg_roles m on m.oid = a.member
          where m.rolname <> all ($1) and m.rolname <> session_user order by 1) as members,
    array(select format('%s (pid %s)', usename, pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()
            and (usename = any ($1) or application_name like 'akashi%') order by pid) as connections,
    array(select distinct pg_describe_object(classid, objid, objsubid) from dependents order by 1) as dependents,
    array(select distinct p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
          where p.prosrc ~ '\\makashi_(auth|audit|security|lifecycle|keys|archive|chat)\\.' and n.nspname not like 'pg\\_%'
            and n.nspname <> 'information_schema' and not exists (select from own_schemas s where s.oid = n.oid) order by 1) as mentions,
    array(select distinct quote_ident(o.rolname) from pg_class c join pg_roles o on o.oid = c.relowner
          where c.oid in (select tgrelid from foreign_triggers) and o.rolname <> all ($1)
            and not pg_has_role(session_user, o.oid, 'USAGE')
          union select quote_ident(o.rolname) from given g join pg_roles o on o.oid = g.owner
          where not pg_has_role(session_user, o.oid, 'USAGE') order by 1) as "foreignOwners",
    array(select rolname::text from own_roles r where not pg_has_role(session_user, r.oid, 'USAGE')
            and not pg_has_role(session_user, r.oid, 'USAGE WITH ADMIN OPTION')
            and not (current_setting('server_version_num')::integer < 160000
                     and (select rolcreaterole from pg_roles where rolname = session_user)) order by 1) as unusable,
    (select rolsuper or rolreplication from pg_roles where rolname = session_user) as "ownSlots"`

export async function planRemoval(session: DirectSession): Promise<RemovalPlan> {
  const { rows } = await session.query<Found>(planSql, [ownRoles, ownSchemas])
  const [found] = rows
  if (found === undefined) throw new Error('a query of one row')
  return { ...found, obstacles: obstaclesOf(found), remarks: remarksOn(found) }
}

function obstaclesOf(found: Found): Obstacle[] {
  const { connections, dependents, foreignOwners, unusable, loginName, slots, ownSlots } = found
  const obstacles: Obstacle[] = []
  if (connections.length > 0) {
    obstacles.push({
      what: `Akashi is connected: ${connections.join(', ')}`,
      hint: 'stop akashi serve, akashi work and everything else that uses its logins',
    })
  }
  if (dependents.length > 0) {
    obstacles.push({
      what: `your objects depend on what would be removed: ${dependents.join(', ')}`,
      hint: 'drop or change it first',
    })
  }
  if (foreignOwners.length > 0) {
    obstacles.push({
      what: `${loginName} may not change the tables of ${foreignOwners.join(', ')}`,
      hint: `grant ${foreignOwners.join(', ')} to ${loginName}, or run this as a superuser`,
    })
  }
  if (unusable.length > 0) {
    obstacles.push({
      what: `${loginName} may not act as ${unusable.join(', ')}`,
      hint: `as the administrator who ran akashi init, or a superuser: grant ${unusable.join(', ')} to ${loginName} with admin option`,
    })
  }
  if (slots.length > 0 && !ownSlots) {
    obstacles.push({
      what: `${loginName} may not drop the replication slot ${slots.join(', ')}`,
      hint: `as a superuser: alter role ${loginName} replication, or select pg_drop_replication_slot('${slots[0]}')`,
    })
  }
  return obstacles
}

function remarksOn({ mentions }: Found): string[] {
  return mentions.map((name) => `the function ${name} names a schema of Akashi and will fail`)
}
