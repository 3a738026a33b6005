import type { TableName } from '../../foundation/index.ts'
import type { Session } from '../../postgres/index.ts'

/**
 * The statements that give a role the rights of a table's owner. If the owner is a superuser, only this table
 * is granted, since membership in the owner would make the role a superuser.
 */
export async function ownerRights(
  session: Session,
  { schema, table, owner }: TableName & { readonly owner: string },
): Promise<(role: string) => string> {
  const { rows } = await session.query<{ superuser: boolean; schema: string; table: string; owner: string }>(
    `select rolsuper as superuser, quote_ident($2) as schema, format('%I.%I', $2::text, $3::text) as table,
            quote_ident(rolname) as owner
     from pg_roles where rolname = $1`,
    [owner, schema, table],
  )
  const [found] = rows
  if (found === undefined) throw new Error('a table has an owner')
  return (role) =>
    found.superuser
      ? `grant usage on schema ${found.schema} to ${role}; grant select, insert, update on ${found.table} to ${role}`
      : `grant ${found.owner} to ${role}`
}
