import type { Session } from '../../src/postgres/index.ts'
import { sections } from './queries.ts'

const header =
  '-- What the migrations build, written by scripts/schema-dump.ts for review in diffs. Never run it.\n'

/** Dumps the schema of a database as text, deterministic per server version. */
export async function dumpSchema(session: Session): Promise<string> {
  const parts = [header]
  // Names are only schema-qualified if the schema is not in the search path.
  await session.query(`select set_config('search_path', 'pg_catalog, pg_temp', false)`)
  for (const { title, query } of sections) {
    const { rows } = await session.query<{ text: string }>(query)
    if (rows.length > 0) {
      parts.push(`-- ${title}\n`, ...rows.map(({ text }) => `${text}\n`))
    }
  }
  return parts.join('\n')
}
