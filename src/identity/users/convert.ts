import type { PersonVault } from '../../keys/index.ts'
import { type Actor, type Database, SQLSTATE, sqlState } from '../../postgres/index.ts'
import { sealEmail, sealSubject } from './personal.ts'

/** Rows of one transaction: each makes a key, so a batch takes about a second. */
const BATCH_ROWS = 100

export interface ConversionResult {
  readonly converted: number
  /** Users whose subject or e-mail another user of the issuer has already; they stay as they are. */
  readonly conflicts: readonly string[]
}

/**
 * Encrypts what SQL wrote into the plain columns of akashi_auth.users: rows from before encryption, and rows that
 * an administrator inserted by hand. In batches, each committed; a run that was cut short is gone on with
 * by the next. Several processes may run it at once.
 */
export async function convertPlainUsers(
  database: Database,
  actor: Actor,
  vault: PersonVault,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ConversionResult> {
  const conflicts: string[] = []
  let converted = 0
  for (;;) {
    const { rows } = await database.transaction(
      actor,
      (session) =>
        session.query<PlainRow>(
          `select id, subject, email from akashi_auth.users
           where (subject is not null or email is not null) and id <> all ($1::uuid[]) order by id limit ${BATCH_ROWS}`,
          [conflicts],
        ),
      options,
    )
    if (rows.length === 0) return { converted, conflicts }
    for (const row of rows) {
      if (await convertOne(database, actor, vault, row, options)) converted += 1
      else conflicts.push(row.id)
    }
  }
}

interface PlainRow {
  readonly id: string
  readonly subject: string | null
  readonly email: string | null
}

/** False when the row would break a unique index. */
async function convertOne(
  database: Database,
  actor: Actor,
  vault: PersonVault,
  { id, subject, email }: PlainRow,
  options: { readonly signal?: AbortSignal },
): Promise<boolean> {
  const columns: Record<string, unknown> = {
    ...(subject === null ? {} : await sealSubject(vault, id, subject)),
    ...(email === null ? {} : await sealEmail(vault, id, email)),
  }
  const assignments = Object.keys(columns).map((name, at) => `${name} = $${at + 4}`)
  try {
    await database.transaction(
      actor,
      // Only what was read is replaced: another process may have been faster, or a person have changed it.
      (session) =>
        session.query(
          `update akashi_auth.users set subject = null, email = null, ${assignments.join(', ')}
           where id = $1 and subject is not distinct from $2 and email is not distinct from $3`,
          [id, subject, email, ...Object.values(columns)],
        ),
      options,
    )
    return true
  } catch (error) {
    if (sqlState(error) === SQLSTATE.uniqueViolation) return false
    throw error
  }
}
