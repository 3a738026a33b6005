/** Tables that autovacuum does not keep up with, and the age of the oldest transaction id. */
import type { Database, Session } from '../../postgres/index.ts'
import { maintainable, ORDINARY } from './allowed.ts'
import { withMaintenance } from './give-way.ts'

/** Dead rows of a table below which vacuum is not worth it. */
const MIN_DEAD_ROWS = 1_000
/** Share of dead rows at which autovacuum should have come: twice its default. */
const DEAD_SHARE = 0.4
/** Share of autovacuum_freeze_max_age at which a table is frozen ahead of autovacuum. */
const FREEZE_SHARE = 0.8

interface VacuumHealth {
  /** Transactions since the oldest id that is not frozen, in any database. */
  readonly transactionAge: number
  readonly oldestDatabase: string
  /** What keeps dead rows from being removed and ids from being frozen, oldest first. */
  readonly holders: readonly string[]
  /** Tables with too many dead rows, or too old ids, worst first. */
  readonly overdue: readonly OverdueTable[]
}

interface OverdueTable {
  /** Quoted. */
  readonly name: string
  readonly deadRows: number
  readonly transactionAge: number
  /** Whether the login may vacuum it. */
  readonly allowed: boolean
}

async function vacuumHealth(session: Session): Promise<VacuumHealth> {
  const { rows: ages } = await session.query<{ name: string; age: number }>(
    'select datname as name, age(datfrozenxid) as age from pg_database order by 2 desc limit 1',
  )
  const { rows: holders } = await session.query<{ what: string }>(
    `select what from (
       select format('process %s of %s', pid, usename) as what, age(backend_xmin) as age from pg_stat_activity
       where backend_xmin is not null and pid <> pg_backend_pid() and backend_type = 'client backend' and xact_start < now() - interval '1 hour'
       union all
       select format('prepared transaction %s', gid), age(transaction) from pg_prepared_xacts
       union all
       select format('replication slot %s', slot_name), greatest(age(xmin), age(catalog_xmin)) from pg_replication_slots
       where not active and (xmin is not null or catalog_xmin is not null)
     ) held order by age desc nulls last limit 5`,
  )
  const { rows: overdue } = await session.query<OverdueTable>(
    `select format('%I.%I', n.nspname, c.relname) as name, coalesce(s.n_dead_tup, 0)::float8 as "deadRows",
            age(c.relfrozenxid) as "transactionAge", ${await maintainable(session)} as allowed
     from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_stat_all_tables s on s.relid = c.oid
     where c.relkind in ('r', 'm') and ${ORDINARY}
       and ((s.n_dead_tup >= $1 and s.n_dead_tup >= $2::float8 * (s.n_live_tup + s.n_dead_tup))
            or age(c.relfrozenxid) > $3::float8 * current_setting('autovacuum_freeze_max_age')::integer)
     order by age(c.relfrozenxid) > $3::float8 * current_setting('autovacuum_freeze_max_age')::integer desc, 2 desc limit 500`,
    [MIN_DEAD_ROWS, DEAD_SHARE, FREEZE_SHARE],
  )
  return {
    transactionAge: ages[0]?.age ?? 0,
    oldestDatabase: ages[0]?.name ?? '',
    holders: holders.map(({ what }) => what),
    overdue,
  }
}

interface VacuumResult extends Omit<VacuumHealth, 'overdue'> {
  readonly vacuumed: readonly string[]
  /** Locked exclusively by another session, or cancelled because another session waited. */
  readonly skipped: readonly string[]
  readonly notAllowed: readonly string[]
}

/** Leaves the empty end of a file, since giving it back would lock readers out. */
export async function vacuumOverdue(administrator: Database, signal?: AbortSignal): Promise<VacuumResult> {
  return await withMaintenance(administrator, signal, async ({ session, run }) => {
    const { overdue, ...health } = await vacuumHealth(session)
    const vacuumed: string[] = []
    const skipped: string[] = []
    for (const { name, allowed } of overdue) {
      if (!allowed) continue
      signal?.throwIfAborted()
      const outcome = await run(`vacuum (truncate false, analyze) ${name}`)
      if (outcome === 'done') vacuumed.push(name)
      else skipped.push(name)
    }
    const notAllowed = overdue.filter(({ allowed }) => !allowed).map(({ name }) => name)
    return { ...health, vacuumed, skipped, notAllowed }
  })
}
