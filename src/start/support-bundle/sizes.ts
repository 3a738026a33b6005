import type { DirectSession } from '../../postgres/index.ts'

/** Maximum tables listed, largest first. */
const LISTED = 200

/** Sizes of tables; no rows are read. */
export async function readSizes(session: DirectSession) {
  const { rows: tables } = await session.query<{
    table: string
    rows: number
    bytes: number
    deadRows: number
  }>(
    `select format('%I.%I', n.nspname, c.relname) as table, greatest(c.reltuples, 0)::float8 as rows,
            pg_total_relation_size(c.oid)::float8 as bytes, coalesce(s.n_dead_tup, 0)::float8 as "deadRows"
     from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_stat_all_tables s on s.relid = c.oid
     where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
     order by 3 desc, 1 limit ${LISTED}`,
  )
  const { rows: whole } = await session.query<{ bytes: number; connections: number; transactionAge: number }>(
    `select pg_database_size(current_database())::float8 as bytes, (select count(*)::integer from pg_stat_activity) as connections,
            (select max(age(datfrozenxid)) from pg_database) as "transactionAge"`,
  )
  return { database: whole[0], tables }
}

/**
 * Settings of the server that differ from PostgreSQL's defaults, without those that contain commands or
 * secrets.
 */
export async function readServerSettings(session: DirectSession) {
  const { rows } = await session.query<{
    name: string
    setting: string
    unit: string | null
    source: string
  }>(
    `select name, setting, unit, source from pg_settings
     where source <> 'default' and name !~ '(command|conninfo|passphrase|secret|library|_dsn|password$)' and name !~ '[.]' order by 1`,
  )
  return rows
}
