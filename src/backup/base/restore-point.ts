import { AkashiError } from '../../foundation/index.ts'
import type { Database } from '../../postgres/index.ts'
import { parseTarget } from '../restore/target.ts'

/**
 * Names the present moment in the WAL; answers its position.
 * @throws invalid_input for a name that a restore would take for something else, or that is too long
 */
export async function createRestorePoint(
  database: Database,
  name: string,
  signal?: AbortSignal,
): Promise<string> {
  if (parseTarget(name).kind !== 'name') {
    throw new AkashiError('invalid_input', `${name} is no name for a restore point`, {
      hint: 'a restore would take it for a time, a position, a transaction or the latest moment',
    })
  }
  const { rows } = await database.direct(
    (session) => session.query<{ lsn: string }>('select pg_create_restore_point($1)::text as lsn', [name]),
    signal === undefined ? {} : { signal },
  )
  return rows[0]?.lsn ?? ''
}
