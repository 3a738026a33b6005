import type { Classification } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import type { Actor, Database, DirectSession, Session } from '../../postgres/index.ts'

/** How the trail keeps a column: as it is, as a salted digest, or not at all. */
export type ColumnTreatment = 'plain' | 'digest' | 'omit'

export interface Protection {
  /** `schema.table`, quoted as in SQL where it needs to be. */
  readonly table: string
  readonly classification?: Classification
  /** The column that says which person a row is about. */
  readonly subject?: string
  readonly columns?: Readonly<Record<string, ColumnTreatment>>
  /** Columns whose change alone is not recorded. */
  readonly ignore?: readonly string[]
  /** When a change cannot be recorded: `fail` (default), it is not made; `record_loss`, it is made and counted. */
  readonly onFailure?: 'fail' | 'record_loss'
  /** Changes without a signed request context are refused, except by these logins. */
  readonly requireContext?: { readonly exempt: readonly string[] }
  /** Logins that may read the whole history of the table. */
  readonly historyReaders?: readonly string[]
}

/** On whose behalf, and why; recorded in the trail in the same transaction. */
export interface ActingFor {
  readonly actor: Actor
  readonly reason: string
}

/** One transaction with the login's own rights, since tables of applications do not belong to akashi_owner. */
async function asLogin(
  owner: Database,
  action: 'protect' | 'unprotect' | 'exempt',
  table: string,
  by: ActingFor | undefined,
  work: (session: DirectSession) => Promise<void>,
): Promise<void> {
  await owner.direct(async (session) => {
    if (by === undefined) return await work(session)
    await session.query('begin')
    await session.identify(by.actor)
    await work(session)
    await session.query(
      `select akashi_audit.record_action('protection_changed', $1, $2, null, 'SUCCESS', jsonb_build_object('reason', $3::text))`,
      [action, table, by.reason],
    )
    await session.query('commit')
  })
}

/**
 * Puts a table under audit, or changes its protection. `owner` must own the table or be a superuser; the
 * statement runs under that login and not as akashi_owner, whom the application's tables do not belong to.
 */
export async function protect(owner: Database, protection: Protection, by?: ActingFor): Promise<void> {
  const {
    table,
    classification = 'internal',
    subject = null,
    columns = {},
    ignore = [],
    onFailure = 'fail',
    requireContext,
    historyReaders = [],
  } = protection
  await asLogin(owner, 'protect', table, by, async (session) => {
    await session.query('select akashi_audit.protect($1::regclass, $2, $3, $4, $5, $6, $7, $8, $9)', [
      await requireTable(session, table),
      classification,
      subject,
      JSON.stringify(columns),
      ignore,
      onFailure,
      requireContext !== undefined,
      requireContext?.exempt ?? [],
      historyReaders,
    ])
  })
}

/** Rows of one statement of a baseline; a concurrent change of one of them waits that long. */
const BASELINE_ROWS = 1_000

/**
 * Records every row of a protected table as it is, so that rows of before the protection can be compared with the trail.
 * @returns how many batches of rows were recorded
 */
export async function recordBaseline(
  owner: Database,
  table: string,
  signal?: AbortSignal,
): Promise<{ readonly batches: number }> {
  return await owner.direct(
    async (session) => {
      const name = await requireTable(session, table)
      const { rows: parts } = await session.query<{ part: string }>(
        `select c.oid::regclass::text as part
         from (select relid::oid as oid from pg_partition_tree($1::regclass) union select $1::regclass) t
         join pg_class c using (oid) where c.relkind = 'r' order by c.oid`,
        [name],
      )
      let batches = 0
      for (const { part } of parts) {
        let last: readonly string[] | null = null
        do {
          const { rows }: { rows: { last: readonly string[] | null }[] } = await session.query(
            'select akashi_audit.record_baseline($1::regclass, $2::regclass, $3, $4) as last',
            [part, name, last, BASELINE_ROWS],
          )
          last = rows[0]?.last ?? null
          batches += 1
        } while (last !== null)
      }
      await session.query(
        `update akashi_audit.protected_tables p set baseline_at = clock_timestamp() from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.oid = $1::regclass and (p.schema_name, p.table_name) = (n.nspname, c.relname)`,
        [name],
      )
      return { batches }
    },
    { timeoutMs: 0, ...(signal === undefined ? {} : { signal }) },
  )
}

/** Ends the audit of a table, also of one that was dropped or renamed; its trail stays. */
export async function unprotect(owner: Database, table: string, by?: ActingFor): Promise<void> {
  await asLogin(owner, 'unprotect', table, by, async (session) => {
    if (await forgetMissing(session, table)) return
    await session.query('select akashi_audit.unprotect($1::regclass)', [await requireTable(session, table)])
  })
}

/** Exempts a table from audit, with a reason. */
export async function exempt(owner: Database, table: string, reason: string, by?: ActingFor): Promise<void> {
  await asLogin(owner, 'exempt', table, by, async (session) => {
    await session.query('select akashi_audit.exempt($1::regclass, $2)', [
      await requireTable(session, table),
      reason,
    ])
  })
}

/** Ends the protection of a table that no longer exists; false when it was not protected. */
async function forgetMissing(session: Session, table: string): Promise<boolean> {
  const { rows } = await session.query<{ forgotten: boolean }>(
    `select akashi_audit.unprotect_missing(p.schema_name, p.table_name) is not null as forgotten
     from akashi_audit.protected_tables p
     where to_regclass($1) is null and parse_ident($1) = array[p.schema_name, p.table_name]`,
    [table],
  )
  return rows.length > 0
}

/** The table's name with its schema; one without is looked up in `public`. */
async function requireTable(session: Session, table: string): Promise<string> {
  const { rows } = await session.query<{ name: string | null }>(
    `select case cardinality(parse_ident($1)) when 1 then to_regclass('public.' || $1) else to_regclass($1) end::text as name`,
    [table],
  )
  const name = rows[0]?.name
  if (name == null) {
    throw new AkashiError('not_found', `table ${table} not found`, {
      hint: 'write it as schema.table, quoted as in SQL where it needs to be',
    })
  }
  return name
}

/** `schema.table` of every table under audit. */
export async function protectedTables(session: Session): Promise<string[]> {
  const { rows } = await session.query<{ name: string }>(
    "select schema_name || '.' || table_name as name from akashi_audit.protected_tables order by 1",
  )
  return rows.map(({ name }) => name)
}

export interface Coverage {
  readonly table: string
  readonly state: 'protected' | 'exempt' | 'gap'
  readonly classification: Classification | null
  readonly reason: string | null
}

/** Every table with its state, gaps first. */
export async function coverage(database: Database, actor: Actor): Promise<Coverage[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Coverage>(
        `select format('%I.%I', schema_name, table_name) as table, state, classification, reason
         from akashi_audit.coverage order by state = 'gap' desc, state = 'protected' desc, 1`,
      ),
    { readOnly: true },
  )
  return rows
}
