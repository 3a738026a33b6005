import { AkashiError } from '../../foundation/index.ts'
import { type Actor, type Database, openDatabase, type Session } from '../../postgres/index.ts'
import type { Task } from '../schedule/index.ts'
import { analyzeChanged } from './analyze.ts'
import { readBloatLimits, reindexBloated } from './reindex.ts'
import { vacuumOverdue } from './vacuum.ts'

/** Tables and indexes that a message names. */
const NAMED = 10

/** @param adminUrl of the login whose tables are maintained: one that owns all, or is a superuser, maintains all */
export function maintenanceTasks(adminUrl: string): Readonly<Record<string, Task>> {
  const asAdministrator = async <T>(work: (administrator: Database) => Promise<T>): Promise<T> => {
    const administrator = openDatabase({
      url: adminUrl,
      role: 'owner',
      poolSize: 1,
      applicationName: 'akashi worker',
    })
    try {
      return await work(administrator)
    } finally {
      await administrator.close()
    }
  }
  return {
    'maintenance.analyze': ({ worker, actor, signal }) =>
      asAdministrator(async (administrator) => {
        const { notAllowed, ...done } = await analyzeChanged({ administrator, worker }, actor, signal)
        return { ...done, ...unmaintained('analyze', notAllowed) }
      }),
    'maintenance.vacuum': ({ signal }) =>
      asAdministrator(async (administrator) => {
        const { notAllowed, ...done } = await vacuumOverdue(administrator, signal)
        return { ...done, ...unmaintained('vacuum', notAllowed) }
      }),
    'maintenance.reindex': ({ worker, actor, signal }) =>
      asAdministrator(async (administrator) => {
        const limits = await worker.transaction(actor, readBloatLimits, { readOnly: true })
        const { notAllowed, ...done } = await reindexBloated(administrator, limits, signal)
        if (done.skipped.length > 0) {
          throw new AkashiError(
            'conflict',
            `indexes were in use and were not rebuilt: ${shown(done.skipped)}`,
            {
              hint: 'end old transactions (pg_stat_activity), then akashi jobs run reindex',
            },
          )
        }
        return { ...done, ...unmaintained('rebuild', notAllowed) }
      }),
    'history.prune': async ({ worker, actor }) => ({
      alarms: await pruned(worker, actor, 'select akashi_lifecycle.prune_alarms() as removed'),
      restores: await pruned(worker, actor, 'select akashi_lifecycle.prune_restores() as removed'),
    }),
  }
}

/** What autovacuum or the administrator of a managed server has to do. */
function unmaintained(what: string, names: readonly string[]): Readonly<Record<string, unknown>> {
  if (names.length === 0) return {}
  return { notAllowed: `the login may not ${what} ${names.length}: ${shown(names)}` }
}

function shown(names: readonly string[]): string {
  return `${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? ', …' : ''}`
}

async function pruned(database: Database, actor: Actor, statement: string): Promise<number> {
  const { rows } = await database.transaction(actor, (session: Session) =>
    session.query<{ removed: number }>(statement),
  )
  return rows[0]?.removed ?? 0
}
