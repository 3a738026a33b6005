/**
 * Deletes data at the end of its total retention. First a retention record is signed, then the rows are deleted: the
 * objects of archived periods, the manifest last, and the partitions of tables that are not archived. A stopped run is
 * continued by the next one. Nothing of a table under legal hold is deleted.
 */
import { type LogDefinition, recordRetention } from '../../audit/index.ts'
import { AkashiError, counted } from '../../foundation/index.ts'
import type { Keyring } from '../../keys/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { DETACH_PAUSE_MS, DETACH_WAIT_MS } from './limits.ts'
import { retryWhileLocked } from './lock-wait.ts'
import { csvKey } from './path.ts'
import { logOf } from './source.ts'

export interface RetireOptions {
  /** `schema.table`; without it, every table. */
  readonly table?: { readonly schema: string; readonly table: string }
  readonly signal?: AbortSignal
  /** Called after steps after which a run may be stopped and continued later. */
  readonly onStep?: (step: RetireStep) => void | Promise<void>
}

export type RetireStep = 'recorded' | 'begun' | 'deleted' | 'finished'

/** What was done, or would be done, with one period. */
export interface RetiredRow {
  /** `schema.table` */
  readonly table: string
  readonly partition: string
  /** `retire`: planned; `held`: kept by a legal hold. */
  readonly action: 'retire' | 'retired' | 'held' | 'failed'
  readonly rows: number
  /** Key of the manifest; null for a partition that was never archived. */
  readonly object: string | null
  readonly message: string
}

interface Due {
  readonly schema: string
  readonly table: string
  readonly partition: string
  readonly from: string
  readonly to: string
  readonly rows: number
  readonly held: boolean
  /** The export; null for a partition of a table that is not archived. */
  readonly export: string | null
  readonly folder: string | null
  readonly generation: number
  readonly manifest: string | null
  readonly policy: string
}

const dueSql = `
  with policy as (
    select p.*, format('%s.%s: kept for %s', p.schema_name, p.table_name, p.total_retention) as text
    from akashi_lifecycle.policies p
    where p.at_expiry <> 'keep' and ($2::text is null or (p.schema_name, p.table_name) = ($2, $3))
  )
  select e.schema_name as schema, e.table_name as "table", e.partition_name as partition, e.lower_bound as "from", e.upper_bound as "to",
         e.row_count::float8 as rows, p.legal_hold as held, e.id as export, e.folder, e.generation, e.manifest, p.text as policy
  from akashi_lifecycle.exports e join policy p using (schema_name, table_name)
  where e.state in ('dropped', 'retiring') and e.upper_bound + p.total_retention <= $1::timestamptz
  union all
  select p.schema_name, p.table_name, c.relname::text, b.lower, b.upper, greatest(c.reltuples, 0)::float8, p.legal_hold,
         null, null, 0, null, p.text
  from policy p
  join pg_catalog.pg_inherits i on i.inhparent = to_regclass(format('%I.%I', p.schema_name, p.table_name))
  join pg_catalog.pg_class c on c.oid = i.inhrelid
  cross join lateral akashi_lifecycle.partition_bounds(c.oid::regclass) b
  where p.at_expiry = 'retire' and isfinite(b.lower) and b.upper + p.total_retention <= $1::timestamptz
  order by 1, 2, 4, 10`

async function readDue(
  database: Database,
  actor: Actor,
  { table, signal }: RetireOptions,
  asOf: Date,
): Promise<Due[]> {
  return await database.transaction(
    actor,
    async (session) =>
      (await session.query<Due>(dueSql, [asOf.toISOString(), table?.schema ?? null, table?.table ?? null]))
        .rows,
    { readOnly: true, ...(signal === undefined ? {} : { signal }) },
  )
}

/**
 * What {@link retireExpired} would do.
 *
 * @param asOf act as if it were this time; default now
 */
export async function planRetirement(
  database: Database,
  actor: Actor,
  options: RetireOptions & { readonly asOf?: Date } = {},
): Promise<RetiredRow[]> {
  const due = await readDue(database, actor, options, options.asOf ?? new Date())
  return due.map((each) =>
    each.held
      ? describe(each, 'held', 'Would keep: legal hold')
      : describe(each, 'retire', `Would be deleted (${each.policy})`),
  )
}

/**
 * Deletes everything past its total retention. A failure is reported in the period's row and does not stop the
 * others.
 */
export async function retireExpired(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  keyring: Keyring,
  options: RetireOptions = {},
): Promise<RetiredRow[]> {
  const rows: RetiredRow[] = []
  for (const due of await readDue(database, actor, options, new Date())) {
    options.signal?.throwIfAborted()
    if (due.held) {
      rows.push(describe(due, 'held', 'Kept: legal hold'))
      continue
    }
    try {
      const removed =
        due.export === null
          ? await dropPartition(database, actor, keyring, due, options)
          : await deleteObjects(database, actor, store, keyring, { ...due, export: due.export }, options)
      if (removed !== null)
        rows.push(describe({ ...due, rows: removed }, 'retired', `Deleted (${counted(removed, 'row')})`))
    } catch (error) {
      if (!(error instanceof AkashiError) || options.signal?.aborted === true) throw error
      rows.push(describe(due, 'failed', `Error: ${error.message}`))
    }
  }
  return rows
}

/** Signs the retention record of a period before anything is deleted; null without a log or entries. */
async function recordOf(
  database: Database,
  actor: Actor,
  keyring: Keyring,
  due: Due,
  { signal, onStep }: RetireOptions,
): Promise<string | null> {
  const log: LogDefinition | null = logOf(due.schema, due.table)
  if (log === null) return null
  const record = await recordRetention(
    database,
    actor,
    keyring,
    {
      log,
      partition: `${due.schema}.${due.partition}`,
      from: new Date(due.from),
      to: new Date(due.to),
      policy: due.policy,
    },
    signal,
  )
  await onStep?.('recorded')
  return record?.id ?? null
}

async function deleteObjects(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  keyring: Keyring,
  due: Due & { readonly export: string },
  options: RetireOptions,
): Promise<number | null> {
  const { onStep, signal } = options
  const record = await recordOf(database, actor, keyring, due, options)
  const begin = async () =>
    await database.transaction(actor, async (session) => {
      const { rows } = await session.query<{ begun: boolean }>(
        'select akashi_lifecycle.begin_retiring($1, $2) as begun',
        [due.export, record],
      )
      return rows[0]?.begun === true
    })
  if (!(await begin())) return null
  await onStep?.('begun')
  const prefix = `${due.manifest?.replace(/\/_([^/]+)\.json$/, '/$1.')}`
  for (const start of [prefix, csvKey(`${prefix}parquet`).replace(/csv$/, '')]) {
    const keys: string[] = []
    for await (const { key } of store.list(start, signal === undefined ? {} : { signal })) keys.push(key)
    for (const key of keys) {
      // Stops if a legal hold was placed meanwhile.
      if (!(await begin())) return null
      await store.delete(key)
    }
  }
  await onStep?.('deleted')
  await store.delete(due.manifest ?? '')
  await database.transaction(actor, (session) =>
    session.query('select akashi_lifecycle.finish_retiring($1)', [due.export]),
  )
  await onStep?.('finished')
  return due.rows
}

async function dropPartition(
  database: Database,
  actor: Actor,
  keyring: Keyring,
  due: Due,
  options: RetireOptions,
): Promise<number> {
  await recordOf(database, actor, keyring, due, options)
  const dropped = await retryWhileLocked(
    () =>
      database.transaction(actor, async (session) => {
        const { rows } = await session.query<{ rows: number }>(
          'select akashi_lifecycle.drop_retired($1, $2, $3)::float8 as rows',
          [due.schema, due.table, due.partition],
        )
        return rows[0]?.rows ?? 0
      }),
    { partition: due.partition, waitMs: DETACH_WAIT_MS, pauseMs: DETACH_PAUSE_MS, signal: options.signal },
  )
  await options.onStep?.('finished')
  return dropped
}

function describe(due: Due, action: RetiredRow['action'], message: string): RetiredRow {
  const { schema, table, partition, rows, manifest } = due
  return { table: `${schema}.${table}`, partition, action, rows, object: manifest, message }
}
