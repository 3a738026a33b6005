import { AkashiError, given } from '../../foundation/index.ts'
import type { Database } from '../../postgres/index.ts'
import { parseTarget } from '../restore/target.ts'

/**
 * Creates a named restore point in the WAL and returns its position.
 * @throws invalid_input for a name that a restore would parse as another target, or that is too long
 */
export async function createRestorePoint(
  database: Database,
  name: string,
  signal?: AbortSignal,
): Promise<string> {
  if (parseTarget(name).kind !== 'name') {
    throw new AkashiError('invalid_input', `${name} is not a valid name of a restore point`, {
      hint: 'use a name that is not a time, position, transaction number or "latest", of at most 63 bytes',
    })
  }
  const { rows } = await database.direct(
    (session) => session.query<{ lsn: string }>('select pg_create_restore_point($1)::text as lsn', [name]),
    given({ signal }),
  )
  return rows[0]?.lsn ?? ''
}
