import { AkashiError } from '../../foundation/index.ts'
import type { Database, Session } from '../../postgres/index.ts'

/** How the trail keeps a column: as it is, as a salted digest, or not at all. */
export type ColumnTreatment = 'plain' | 'digest' | 'omit'

export interface Protection {
  /** `schema.table`, quoted as in SQL where it needs to be. */
  readonly table: string
  readonly classification?: 'public' | 'internal' | 'confidential' | 'restricted'
  /** The column that says which person a row is about. */
  readonly subject?: string
  readonly columns?: Readonly<Record<string, ColumnTreatment>>
  /** Columns whose change alone is not recorded. */
  readonly ignore?: readonly string[]
  /** When a change cannot be recorded: `fail` (default), it is not made; `record_loss`, it is made and counted. */
  readonly onFailure?: 'fail' | 'record_loss'
}

/**
 * Puts a table under audit, or changes how it is. `owner` must own the table or be a superuser; the
 * statement runs under that login and not as akashi_owner, whom the application's tables do not belong to.
 */
export async function protect(owner: Database, protection: Protection): Promise<void> {
  const {
    table,
    classification = 'internal',
    subject = null,
    columns = {},
    ignore = [],
    onFailure = 'fail',
  } = protection
  await owner.direct(async (session) => {
    await session.query('select akashi_audit.protect($1::regclass, $2, $3, $4, $5, $6)', [
      await requireTable(session, table),
      classification,
      subject,
      JSON.stringify(columns),
      ignore,
      onFailure,
    ])
  })
}

/** Ends the audit of a table, also of one that was dropped or renamed; its trail stays. */
export async function unprotect(owner: Database, table: string): Promise<void> {
  await owner.direct(async (session) => {
    if (await forgetMissing(session, table)) return
    await session.query('select akashi_audit.unprotect($1::regclass)', [await requireTable(session, table)])
  })
}

/** Says why a table needs no audit. */
export async function exempt(owner: Database, table: string, reason: string): Promise<void> {
  await owner.direct(async (session) => {
    await session.query('select akashi_audit.exempt($1::regclass, $2)', [
      await requireTable(session, table),
      reason,
    ])
  })
}

/** Whether a table that is not there was under audit; then it is no more. */
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
    throw new AkashiError('not_found', `there is no table ${table}`, {
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
  readonly classification: string | null
  readonly reason: string | null
}

/** Every table with its state, gaps first. */
export async function coverage(owner: Database): Promise<Coverage[]> {
  const { rows } = await owner.direct((session) =>
    session.query<Coverage>(
      `select format('%I.%I', schema_name, table_name) as table, state, classification, reason
       from akashi_audit.coverage order by state = 'gap' desc, state = 'protected' desc, 1`,
    ),
  )
  return rows
}
