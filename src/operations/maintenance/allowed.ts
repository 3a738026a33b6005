import type { Session } from '../../postgres/index.ts'

/** The first version in which the right to maintain a table can be granted. */
const MAINTAIN_VERSION = 170_000

/** SQL that says whether the login may maintain the table `c`. A superuser may maintain all. */
export async function maintainable(session: Session): Promise<string> {
  const { rows } = await session.query<{ version: number }>(
    `select current_setting('server_version_num')::integer as version`,
  )
  const owns = `pg_has_role(session_user, c.relowner, 'USAGE')`
  return (rows[0]?.version ?? 0) < MAINTAIN_VERSION
    ? owns
    : `(${owns} or has_table_privilege(c.oid, 'MAINTAIN'))`
}

/** SQL: tables `c` of schema `n` that are neither PostgreSQL's own nor a session's. */
export const ORDINARY = `n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%' and c.relpersistence <> 't'`
