/**
 * Rows of a database, through logins of the new server that have no more than the rights of each table's owner: a
 * check, a domain or a generated column is code of the role that created it, and a superuser who loads a row
 * runs it.
 */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'

/** Random bytes in the name of a login. */
const ROLE_BYTES = 6

export interface OwnedTables {
  /** Of the tables; null for those of superusers. */
  readonly owner: string | null
  readonly tables: readonly { readonly schema: string; readonly name: string }[]
}

/** One row with one JSON text: the tables of a database by owner, without those that an extension brings. */
export const ownedTablesQuery = `
  select coalesce(json_agg(json_build_object('owner', owner, 'tables', tables)), '[]')
  from (
    select case when not o.rolsuper then o.rolname end as owner,
           json_agg(json_build_object('schema', n.nspname, 'name', c.relname) order by 1, 2) as tables
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_roles o on o.oid = c.relowner
    where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and not exists (select from pg_catalog.pg_depend d
                      where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    group by 1
  ) owned`

const ownedTables = z.array(
  z.object({
    owner: z.string().nullable(),
    tables: z.array(z.object({ schema: z.string(), name: z.string() })),
  }),
)

export function parseOwnedTables(text: string): readonly OwnedTables[] {
  return ownedTables.parse(JSON.parse(text))
}

/**
 * Constraints that the new server would validate as a superuser: pg_dump adds a constraint after the rows if
 * its function depends on the table or domain itself.
 */
export const lateChecksQuery = `
  select coalesce(string_agg(distinct pg_catalog.format('%s on %s', k.conname,
    case when k.conrelid <> 0 then k.conrelid::regclass::text else k.contypid::regtype::text end), ', '), '')
  from pg_catalog.pg_constraint k
  join pg_catalog.pg_depend uses on uses.classid = 'pg_catalog.pg_constraint'::regclass and uses.objid = k.oid
    and uses.refclassid = 'pg_catalog.pg_proc'::regclass
  join pg_catalog.pg_proc p on p.oid = uses.refobjid
  join pg_catalog.pg_roles maker on maker.oid = p.proowner and not maker.rolsuper
  join pg_catalog.pg_depend back on back.classid = 'pg_catalog.pg_proc'::regclass and back.objid = p.oid
  left join pg_catalog.pg_class c on c.oid = k.conrelid
  where k.contype = 'c' and (
    (back.refclassid = 'pg_catalog.pg_class'::regclass and back.refobjid = k.conrelid)
    or (back.refclassid = 'pg_catalog.pg_type'::regclass and back.refobjid in (k.contypid, c.reltype)))`

export function lateCheckError(database: string, constraints: string): AkashiError {
  return new AkashiError('conflict', `checks of ${database} would run as a superuser: ${constraints}`, {
    hint: 'their functions depend on the table or domain itself: drop them before the upgrade and add them again afterwards',
  })
}

/** As psql and pg_dump match it literally. */
export const pattern = ({ schema, name }: { readonly schema: string; readonly name: string }): string =>
  `${quote(schema)}.${quote(name)}`

/** Makes and drops the login for the rows of one owner. */
export function loadingLogin(
  database: string,
  { owner, tables }: OwnedTables,
): { readonly role: string; readonly create: string; readonly drop: string } {
  const role = `akashi_load_${randomBytes(ROLE_BYTES).toString('hex')}`
  const schemas = [...new Set(tables.map(({ schema }) => schema))]
  const rights =
    owner === null
      ? [
          ...tables.map((table) => `grant insert on ${pattern(table)} to ${role};`),
          // pg_dump sets the sequences of a table with its rows.
          ...schemas.map((schema) => `grant update on all sequences in schema ${quote(schema)} to ${role};`),
        ]
      : [`grant ${quote(owner)} to ${role};`]
  return {
    role,
    create: [
      `create role ${role} login nosuperuser nocreatedb nocreaterole inherit;`,
      `grant connect on database ${quote(database)} to ${role};`,
      ...schemas.map((schema) => `grant usage on schema ${quote(schema)} to ${role};`),
      ...rights,
    ].join('\n'),
    // Objects that code of the tables created meanwhile are dropped with it.
    drop: `drop owned by ${role} cascade; drop role ${role};`,
  }
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
