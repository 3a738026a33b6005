import type { PersonVault } from '../../keys/index.ts'
import { type Actor, type Database, SQLSTATE, sqlState } from '../../postgres/index.ts'
import { sealEmail, sealSubject } from './personal.ts'

/** Rows per batch; each creates a key, so a batch takes about a second. */
const BATCH_ROWS = 100

export interface ConversionResult {
  readonly converted: number
  /** Users whose subject or e-mail address another user of the issuer already has; they are not changed. */
  readonly conflicts: readonly string[]
}

/**
 * Encrypts values in the plain columns of akashi_auth.users, such as rows that an administrator inserted with SQL.
 * Works in committed batches; an interrupted run is continued by the next one. Several processes may run it at once.
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

/** False when the row would violate a unique index. */
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
      // Replaces only the values that were read, since they may have changed meanwhile.
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
