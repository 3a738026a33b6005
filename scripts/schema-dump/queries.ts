/**
 * One query per kind of object, each returning rows of `text` in an order independent of creation order. Leaves
 * out objects of extensions and other libraries, the table of the migration runner, and partitions, whose names
 * depend on the date.
 */

const ourSchemas = `n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'akashi_jobs')`

/** True for objects of an extension. */
const ofExtension = (catalog: string, oid: string) =>
  `exists (select from pg_depend d where d.classid = '${catalog}'::regclass and d.objid = ${oid} and d.deptype = 'e')`

/** `grant … to …;` lines for everyone except the owner, who has all privileges. */
const grants = (acl: string, kind: string, owner: string, target: string) => `
  (select string_agg(format(E'\\ngrant %s on %s to %s%s;', privileges, ${target}, grantee, option), '' order by grantee, option)
   from (
     select case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
            case when a.is_grantable then ' with grant option' else '' end as option,
            string_agg(lower(a.privilege_type), ', ' order by a.privilege_type) as privileges
     from aclexplode(coalesce(${acl}, acldefault('${kind}', ${owner}))) a
     where a.grantee <> ${owner}
     group by 1, 2
   ) g)`

const comment = (oid: string, catalog: string, target: string) => `
  (select format(E'\\ncomment on %s is %L;', ${target}, text)
   from obj_description(${oid}, '${catalog}') as text where text is not null)`

const relation = `format('%I.%I', n.nspname, c.relname)`

const roles = `
  select format('create role %I%s%s%s%s%s%s%s;', rolname,
           case when rolcanlogin then ' login' else ' nologin' end,
           case when rolinherit then '' else ' noinherit' end,
           case when rolsuper then ' superuser' else '' end,
           case when rolcreatedb then ' createdb' else '' end,
           case when rolcreaterole then ' createrole' else '' end,
           case when rolreplication then ' replication' else '' end,
           case when rolbypassrls then ' bypassrls' else '' end)
         || coalesce((
           select string_agg(format(E'\\ngrant %I to %I;', g.rolname, r.rolname), '' order by g.rolname)
           from pg_auth_members m join pg_roles g on g.oid = m.roleid
           where m.member = r.oid), '') as text
  from pg_roles r where rolname ~ '^akashi_' order by rolname`

const extensions = `
  select format('create extension %I schema %I;', e.extname, n.nspname) as text
  from pg_extension e join pg_namespace n on n.oid = e.extnamespace
  where e.extname <> 'plpgsql' order by e.extname`

const schemas = `
  select concat(format('create schema %I authorization %s;', n.nspname, n.nspowner::regrole),
           ${comment('n.oid', 'pg_namespace', `format('schema %I', n.nspname)`)},
           ${grants('n.nspacl', 'n', 'n.nspowner', `format('schema %I', n.nspname)`)}) as text
  from pg_namespace n where ${ourSchemas} and n.nspname <> 'public' order by n.nspname`

const defaultPrivileges = `
  select format('alter default privileges for role %s%s grant %s on %s to %s;', d.defaclrole::regrole,
           case when d.defaclnamespace = 0 then '' else ' in schema ' || d.defaclnamespace::regnamespace end,
           coalesce(lower(string_agg(a.privilege_type, ', ' order by a.privilege_type)), 'nothing'),
           case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
             when 'T' then 'types' else 'schemas' end,
           case coalesce(a.grantee, d.defaclrole) when 0 then 'public' else coalesce(a.grantee, d.defaclrole)::regrole::text end) as text
  from pg_default_acl d left join aclexplode(d.defaclacl) a on true
  group by d.oid, d.defaclrole, d.defaclnamespace, d.defaclobjtype, a.grantee
  order by 1`

const types = `
  select concat(case t.typtype
           when 'e' then format('create type %I.%I as enum (%s);', n.nspname, t.typname,
             (select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = t.oid))
           when 'd' then format('create domain %I.%I as %s%s%s;', n.nspname, t.typname,
             format_type(t.typbasetype, t.typtypmod), case when t.typnotnull then ' not null' else '' end,
             (select string_agg(' ' || pg_get_constraintdef(oid), '' order by conname) from pg_constraint where contypid = t.oid))
           else format('create type %I.%I as (%s);', n.nspname, t.typname,
             (select string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' order by attnum)
              from pg_attribute where attrelid = t.typrelid and attnum > 0 and not attisdropped)) end,
           format(E'\\nalter type %I.%I owner to %s;', n.nspname, t.typname, t.typowner::regrole),
           ${comment('t.oid', 'pg_type', `format('type %I.%I', n.nspname, t.typname)`)}) as text
  from pg_type t join pg_namespace n on n.oid = t.typnamespace left join pg_class c on c.oid = t.typrelid
  where ${ourSchemas} and (t.typtype in ('e', 'd') or t.typtype = 'c' and c.relkind = 'c')
    and not ${ofExtension('pg_type', 't.oid')}
  order by n.nspname, t.typname`

const sequences = `
  select concat(format('create sequence %s as %s increment %s minvalue %s maxvalue %s start %s cache %s%s;', ${relation},
           format_type(s.seqtypid, null), s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache,
           case when s.seqcycle then ' cycle' else '' end),
           (select format(E'\\nalter sequence %s owned by %s.%I;', ${relation}, d.refobjid::regclass, a.attname)
            from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
            where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'a'),
           format(E'\\nalter sequence %s owner to %s;', ${relation}, c.relowner::regrole),
           ${grants('c.relacl', 's', 'c.relowner', `'sequence ' || ${relation}`)}) as text
  from pg_sequence s join pg_class c on c.oid = s.seqrelid join pg_namespace n on n.oid = c.relnamespace
  where ${ourSchemas}
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('i', 'e'))
  order by n.nspname, c.relname`

const column = `
  format(E'  %I %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
    case when a.attcollation not in (0, t.typcollation) then ' collate ' || a.attcollation::regcollation else '' end,
    case when a.attidentity = 'a' then ' generated always as identity'
         when a.attidentity = 'd' then ' generated by default as identity'
         when a.attgenerated = 's' then format(' generated always as (%s) stored', pg_get_expr(ad.adbin, ad.adrelid))
         when a.attgenerated = 'v' then format(' generated always as (%s) virtual', pg_get_expr(ad.adbin, ad.adrelid))
         when ad.adbin is not null then ' default ' || pg_get_expr(ad.adbin, ad.adrelid)
         else '' end,
    case when a.attnotnull then ' not null' else '' end)`

const tables = `
  select concat(format(E'create %stable %s (\\n%s\\n)%s%s;', case c.relpersistence when 'u' then 'unlogged ' else '' end,
           ${relation},
           (select string_agg(line, E',\\n' order by part, position, line) from (
              select 1 as part, a.attnum::int as position, ${column} as line
              from pg_attribute a join pg_type t on t.oid = a.atttypid
              left join pg_attrdef ad on ad.adrelid = a.attrelid and ad.adnum = a.attnum
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
              union all
              select 2, 0, format('  constraint %I %s', con.conname, pg_get_constraintdef(con.oid))
              from pg_constraint con where con.conrelid = c.oid and con.contype in ('p', 'u', 'c', 'f', 'x')
            ) lines),
           case when c.relkind = 'p' then ' partition by ' || pg_get_partkeydef(c.oid) else '' end,
           case when c.reloptions is null then '' else format(' with (%s)', array_to_string(c.reloptions, ', ')) end),
         format(E'\\nalter table %s owner to %s;', ${relation}, c.relowner::regrole),
         ${comment('c.oid', 'pg_class', `'table ' || ${relation}`)},
         (select string_agg(format(E'\\ncomment on column %s.%I is %L;', ${relation}, a.attname, text), '' order by a.attnum)
          from pg_attribute a, col_description(a.attrelid, a.attnum) as text
          where a.attrelid = c.oid and a.attnum > 0 and text is not null),
         (select string_agg(E'\\n' || pg_get_indexdef(i.indexrelid) || ';', '' order by ic.relname)
          from pg_index i join pg_class ic on ic.oid = i.indexrelid
          where i.indrelid = c.oid and not exists (select from pg_constraint where conindid = i.indexrelid and contype in ('p', 'u', 'x'))),
         (select string_agg(format(E'\\n%s;%s', pg_get_triggerdef(t.oid),
              case t.tgenabled when 'O' then '' else format(E'\\nalter table %s enable %s trigger %I;', ${relation},
                case t.tgenabled when 'A' then 'always' when 'R' then 'replica' else 'no' end, t.tgname) end), '' order by t.tgname)
          from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal),
         case when c.relrowsecurity then format(E'\\nalter table %s enable row level security;', ${relation}) end,
         case when c.relforcerowsecurity then format(E'\\nalter table %s force row level security;', ${relation}) end,
         (select string_agg(format(E'\\ncreate policy %I on %s%s for %s to %s%s%s;', p.polname, ${relation},
              case when p.polpermissive then '' else ' as restrictive' end,
              case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
              (select string_agg(case r when 0 then 'public' else r::regrole::text end, ', ' order by r::regrole::text) from unnest(p.polroles) r),
              ' using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
              ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'), '' order by p.polname)
          from pg_policy p where p.polrelid = c.oid),
         ${grants('c.relacl', 'r', 'c.relowner', relation)},
         (select string_agg(format(E'\\ngrant %s (%I) on %s to %s;', g.privileges, g.attname, ${relation}, g.grantee), ''
                            order by g.attnum, g.grantee)
          from (
            select at.attname, at.attnum, case x.grantee when 0 then 'public' else x.grantee::regrole::text end as grantee,
                   string_agg(lower(x.privilege_type), ', ' order by x.privilege_type) as privileges
            from pg_attribute at, aclexplode(at.attacl) x
            where at.attrelid = c.oid and x.grantee <> c.relowner group by 1, 2, 3
          ) g)) as text
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where ${ourSchemas} and c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
    and c.oid is distinct from to_regclass('akashi_lifecycle.schema_migrations')
    and not ${ofExtension('pg_class', 'c.oid')}
  order by n.nspname, c.relname`

const views = `
  select concat(format(E'create %sview %s%s as\\n%s', case c.relkind when 'm' then 'materialized ' else '' end, ${relation},
           case when c.reloptions is null then '' else format(' with (%s)', array_to_string(c.reloptions, ', ')) end,
           pg_get_viewdef(c.oid)),
         format(E'\\nalter view %s owner to %s;', ${relation}, c.relowner::regrole),
         ${comment('c.oid', 'pg_class', `'view ' || ${relation}`)},
         (select string_agg(E'\\n' || pg_get_indexdef(i.indexrelid) || ';', '' order by i.indexrelid::regclass::text)
          from pg_index i where i.indrelid = c.oid),
         (select string_agg(E'\\n' || pg_get_triggerdef(t.oid) || ';', '' order by t.tgname)
          from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal),
         ${grants('c.relacl', 'r', 'c.relowner', relation)}) as text
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where ${ourSchemas} and c.relkind in ('v', 'm') and not ${ofExtension('pg_class', 'c.oid')}
  order by n.nspname, c.relname`

const routine = `format('%s %I.%I(%s)', case p.prokind when 'p' then 'procedure' else 'function' end,
  n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))`

const functions = `
  select concat(rtrim(pg_get_functiondef(p.oid), E'\\n'), ';',
         format(E'\\nalter %s owner to %s;', ${routine}, p.proowner::regrole),
         ${comment('p.oid', 'pg_proc', routine)},
         ${grants('p.proacl', 'f', 'p.proowner', routine)}) as text
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where ${ourSchemas} and p.prokind in ('f', 'p') and not ${ofExtension('pg_proc', 'p.oid')}
  order by n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)`

export const sections: readonly { readonly title: string; readonly query: string }[] = [
  { title: 'Roles', query: roles },
  { title: 'Extensions', query: extensions },
  { title: 'Schemas', query: schemas },
  { title: 'Default privileges', query: defaultPrivileges },
  { title: 'Types', query: types },
  { title: 'Sequences', query: sequences },
  { title: 'Tables', query: tables },
  { title: 'Views', query: views },
  { title: 'Functions', query: functions },
]
