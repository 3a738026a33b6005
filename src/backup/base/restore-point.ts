import type { Database } from '../../postgres/index.ts'

/** Names the present moment in the WAL; answers its position. */
export async function createRestorePoint(database: Database, name: string): Promise<string> {
  const { rows } = await database.direct((session) =>
    session.query<{ lsn: string }>('select pg_create_restore_point($1)::text as lsn', [name]),
  )
  return rows[0]?.lsn ?? ''
}
