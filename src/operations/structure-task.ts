/** The monthly check of the running database for damage that has not been noticed yet. */
import { checkStructure } from '../backup/index.ts'
import { AkashiError } from '../foundation/index.ts'
import { openDatabase } from '../postgres/index.ts'
import { recordEventAlone } from '../security/index.ts'
import type { Task } from './schedule/index.ts'

/** Problems that the event and the message name. */
const NAMED = 20

/** @param adminUrl of the login that owns the database; it reads every table, so it has to be a superuser */
export function structureTasks(adminUrl: string): Readonly<Record<string, Task>> {
  return {
    'database.check_structure': async ({ worker, actor, signal }) => {
      const database = openDatabase({ url: adminUrl, role: 'owner', poolSize: 1 })
      try {
        const superuser = await database.direct(async (session) => {
          const { rows } = await session.query<{ super: boolean }>(
            'select rolsuper as super from pg_roles where rolname = session_user',
          )
          return rows[0]?.super === true
        })
        if (!superuser) {
          return {
            skipped:
              'the login is not a superuser, which this check requires; drills check the restored database instead',
          }
        }
        const { problems, ...checked } = await checkStructure(database, signal)
        if (problems.length === 0) return { ...checked }
        const what = `the database is damaged: ${problems.slice(0, NAMED).join('; ')}`
        await recordEventAlone(worker, actor, {
          event_type: 'structure_damaged',
          resource_type: 'database',
          action_performed: 'check',
          description: what,
          event_details: { ...checked, problems: problems.slice(0, NAMED) },
        })
        throw new AkashiError('integrity', what, {
          hint: 'repair indexes with reindex, and restore rows from a backup: docs/runbooks/recovery.md',
        })
      } finally {
        await database.close()
      }
    },
  }
}
