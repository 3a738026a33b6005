/** Statistics that the planner uses, of what changed since they were collected. */
import { type Actor, type Database, SQLSTATE, sqlState } from '../../postgres/index.ts'
import { maintainable, ORDINARY } from './allowed.ts'
import { type Outcome, withMaintenance } from './give-way.ts'

interface AnalyzeResult {
  readonly analyzed: number
  /** Tables that were locked exclusively by another session; the next run tries them again. */
  readonly skipped: readonly string[]
  /** Tables that changed and that the login may not analyze. */
  readonly notAllowed: readonly string[]
}

interface Stale {
  readonly schema: string
  readonly table: string
  /** Quoted, for a statement. */
  readonly name: string
  readonly allowed: boolean
  /** Belongs to Akashi's own role, which can analyze it for the worker. */
  readonly own: boolean
  /** Only the table itself: its partitions are in the list where they changed. */
  readonly only: boolean
}

/**
 * Autovacuum never analyzes a partitioned table, and other tables only when a tenth of them changed.
 *
 * @param administrator of the login; its tables are analyzed directly
 * @param worker of the role `worker`, through which Akashi's own tables are
 */
export async function analyzeChanged(
  { administrator, worker }: { readonly administrator: Database; readonly worker: Database },
  actor: Actor,
  signal?: AbortSignal,
): Promise<AnalyzeResult> {
  return await withMaintenance(administrator, signal, async ({ session, run }) => {
    const { rows } = await session.query<Stale>(
      `with changed as (
         select s.relid from pg_stat_all_tables s
         where s.n_mod_since_analyze > 0 or (s.n_live_tup > 0 and coalesce(s.last_analyze, s.last_autoanalyze) is null)
       ), wanted as (
         select relid from changed
         union
         select a.relid from changed cross join lateral pg_partition_ancestors(changed.relid) a where a.relid <> changed.relid
       )
       select n.nspname as schema, c.relname as table, format('%I.%I', n.nspname, c.relname) as name,
              ${await maintainable(session)} as allowed,
              c.relowner = to_regrole('akashi_owner') and n.nspname like 'akashi\\_%' as own,
              c.relkind = 'p' and current_setting('server_version_num')::integer >= 180000 as only
       from wanted w join pg_class c on c.oid = w.relid join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p', 'm') and ${ORDINARY}
       order by c.relkind = 'p', 3`,
    )
    const skipped: string[] = []
    const notAllowed: string[] = []
    let analyzed = 0
    for (const stale of rows) {
      signal?.throwIfAborted()
      if (!stale.allowed && !stale.own) {
        notAllowed.push(stale.name)
        continue
      }
      const outcome = stale.allowed
        ? await run(`analyze ${stale.only ? 'only ' : ''}${stale.name}`)
        : await analyzeOwn(worker, actor, stale)
      if (outcome === 'done') analyzed += 1
      else skipped.push(stale.name)
    }
    return { analyzed, skipped, notAllowed }
  })
}

async function analyzeOwn(worker: Database, actor: Actor, { schema, table }: Stale): Promise<Outcome> {
  try {
    await worker.transaction(
      actor,
      (session) => session.query('select akashi_lifecycle.analyze_table($1, $2)', [schema, table]),
      { timeoutMs: 0 },
    )
    return 'done'
  } catch (error) {
    if (sqlState(error) === SQLSTATE.lockNotAvailable) return 'busy'
    throw error
  }
}
