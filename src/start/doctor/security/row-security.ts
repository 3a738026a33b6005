/** Whether row-level security applies to everybody on the tables that rely on it. */
import type { DirectSession } from '../../../postgres/index.ts'
import type { Check, Finding } from '../check.ts'
import { onDatabase } from '../on-database.ts'

interface TableFacts {
  readonly name: string
  /** Akashi's own tables, where it applies to the owner as well. */
  readonly own: boolean
  readonly enabled: boolean
  readonly forced: boolean
}

export const rowSecurity: Check = {
  name: 'row-level security',
  run: onDatabase('owner', async (database) => judgeRowSecurity(await database.direct(readTables))),
}

/** Akashi's own tables, and tables under audit that have policies. */
async function readTables(session: DirectSession): Promise<TableFacts[]> {
  const { rows } = await session.query<TableFacts>(
    `select format('%I.%I', n.nspname, c.relname) as name, n.nspname like 'akashi\\_%' as own,
            c.relrowsecurity as enabled, c.relforcerowsecurity as forced
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and not c.relispartition and (
       -- The migrations' own table has no grants; the job queue's belong to the worker alone.
       n.nspname like 'akashi\\_%' and n.nspname <> 'akashi_jobs' and c.relname <> 'schema_migrations'
       or exists (select from pg_policy p where p.polrelid = c.oid)
          and exists (select from pg_trigger t join pg_proc f on f.oid = t.tgfoid
                      where t.tgrelid = c.oid and f.pronamespace = to_regnamespace('akashi_audit')))
     order by 1`,
  )
  return rows
}

export function judgeRowSecurity(tables: readonly TableFacts[]): Finding {
  const off = tables.filter(({ own, enabled, forced }) => !enabled || (own && !forced))
  if (off.length === 0) {
    return { ok: true, detail: `${tables.length} tables, all of them with row-level security` }
  }
  return {
    ok: false,
    detail: `row-level security does not apply to everybody on ${off.map(({ name }) => name).join(', ')}`,
    hint: off
      .map(
        ({ name, own }) =>
          `alter table ${name} enable row level security${own ? ', force row level security' : ''}`,
      )
      .join('; '),
  }
}
