/**
 * The end of the total retention of one period. A signed retention record comes first, then the rows go: objects are
 * deleted, the manifest last, or the partition of a table that is not archived is dropped. Nothing is removed of a
 * table under legal hold, also when the hold begins meanwhile.
 */
import { recordRetention } from '../../../audit/index.ts'
import type { Keyring } from '../../../keys/index.ts'
import type { ObjectStore } from '../../../object-store/index.ts'
import type { Actor, Database } from '../../../postgres/index.ts'
import { objectsOf } from '../manifest.ts'
import { listObjects } from '../object-keys.ts'
import type { PlannedRetirement } from '../plan.ts'
import { retryWhileLocked } from '../retry-while-locked.ts'
import { logOf } from '../source.ts'

/** Moments at which a run may be stopped and continued later, in their order. */
export type RetireStep = 'recorded' | 'begun' | 'deleted' | 'finished'

export interface RetireContext {
  readonly database: Database
  readonly actor: Actor
  readonly store: ObjectStore
  readonly keyring: Keyring
  readonly signal?: AbortSignal
  readonly onStep?: (step: RetireStep) => void | Promise<void>
}

/** @returns how many rows are gone; null when the period is at no point at which they may go */
export async function retirePeriod(
  context: RetireContext,
  planned: PlannedRetirement,
): Promise<number | null> {
  const record = await signRecord(context, planned)
  return planned.export === null || planned.manifest === null
    ? await dropPartition(context, planned)
    : await deleteExport(context, planned, { id: planned.export, manifest: planned.manifest, record })
}

/** The id of the record; null where there is no log or no entry. */
async function signRecord(context: RetireContext, planned: PlannedRetirement): Promise<string | null> {
  const { database, actor, keyring, signal, onStep } = context
  const { schema, table, partition, from, to, policy } = planned
  const log = logOf(schema, table)
  if (log === null) return null
  const period = { log, partition: `${schema}.${partition}`, from: new Date(from), to: new Date(to), policy }
  const record = await recordRetention(database, actor, keyring, period, signal)
  await onStep?.('recorded')
  return record?.id ?? null
}

interface Doomed {
  readonly id: string
  readonly manifest: string
  readonly record: string | null
}

async function deleteExport(
  context: RetireContext,
  planned: PlannedRetirement,
  { id, manifest, record }: Doomed,
): Promise<number | null> {
  const { database, actor, store, signal, onStep } = context
  const mayDelete = async () =>
    await database.transaction(actor, async (session) => {
      const { rows } = await session.query<{ begun: boolean }>(
        'select akashi_lifecycle.begin_retiring($1, $2) as begun',
        [id, record],
      )
      return rows[0]?.begun === true
    })
  if (!(await mayDelete())) return null
  await onStep?.('begun')
  let deleted = 0
  const listed = await listObjects(store, manifest, signal === undefined ? {} : { signal })
  for (const key of await objectsOf(store, manifest, listed, signal)) {
    try {
      // A hold that begins meanwhile ends it here.
      if (!(await mayDelete())) return null
      await store.delete(key)
    } catch (error) {
      if (deleted === 0) {
        await database.transaction(actor, (session) =>
          session.query('select akashi_lifecycle.cancel_retiring($1)', [id]),
        )
      }
      throw error
    }
    deleted += 1
  }
  await onStep?.('deleted')
  if (!(await mayDelete())) return null
  await store.delete(manifest)
  await database.transaction(actor, (session) =>
    session.query('select akashi_lifecycle.finish_retiring($1)', [id]),
  )
  await onStep?.('finished')
  return planned.rows
}

async function dropPartition(context: RetireContext, planned: PlannedRetirement): Promise<number> {
  const { database, actor, signal, onStep } = context
  const { schema, table, partition } = planned
  const dropped = await retryWhileLocked(
    () =>
      database.transaction(actor, async (session) => {
        const { rows } = await session.query<{ rows: number }>(
          'select akashi_lifecycle.drop_retired($1, $2, $3)::float8 as rows',
          [schema, table, partition],
        )
        return rows[0]?.rows ?? 0
      }),
    { partition, signal },
  )
  await onStep?.('finished')
  return dropped
}
