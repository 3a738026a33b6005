import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError } from '../foundation/index.ts'
import { type Actor, type Database, SQLSTATE, sqlState, type TransactionOptions } from '../postgres/index.ts'

/** Days ahead for which a table of daily partitions must be covered; otherwise there is an alarm. */
export const DAILY_HEADROOM_DAYS = 7

/** Months ahead for which a table of monthly partitions must be covered; otherwise there is an alarm. */
export const MONTHLY_HEADROOM_MONTHS = 1

/** Attempts to create a partition, which fails mostly because its table is locked. */
const APPLY_ATTEMPTS = 3

/** Milliseconds between two attempts. */
const APPLY_PAUSE_MS = 1_000

/** Milliseconds for creating all missing partitions, which can be hundreds after a long pause. */
const APPLY_TIMEOUT_MS = 300_000

/** Partitions that one transaction creates: each takes some ten of the server's locks until it ends. */
const CREATED_AT_ONCE = 20

/** Rows moved out of a default partition under one lock. */
export const DRAIN_ROWS = 10_000

/** What would be done, or was done, about one partition. */
export interface PartitionRow {
  /** `schema.table` */
  readonly table: string
  readonly partition: string
  /**
   * `create`, `drain`: planned. `exists`: another process created it meanwhile. `drained`: rows of the default
   * partition were moved into it. `detached`: the default partition was empty and was detached.
   */
  readonly action: 'create' | 'drain' | 'created' | 'drained' | 'detached' | 'exists' | 'failed'
  /** Bounds in UTC, the upper one exclusive; null for a default partition. */
  readonly from: string | null
  readonly to: string | null
  /** Why it failed, or how many rows moved. */
  readonly message: string | null
  /** The PostgreSQL locks that it takes, and for how long; null when nothing is done. */
  readonly locks: string | null
}

export interface PartitionStatus {
  /** `schema.table` */
  readonly table: string
  readonly interval: 'day' | 'month'
  /** Partitions to create ahead of the current one, by the policy. */
  readonly premake: number
  readonly partitions: number
  /** Until when partitions exist without a gap from now (`infinity` for no end); null if there is none for now. */
  readonly coveredUntil: string | null
  /** Seconds from now until then. */
  readonly headroomSeconds: number | null
  /** True when the headroom is below {@link DAILY_HEADROOM_DAYS} or {@link MONTHLY_HEADROOM_MONTHS}. */
  readonly alarm: boolean
}

export interface PartitionOptions {
  readonly signal?: AbortSignal
}

type PlanRow = Omit<PartitionRow, 'locks'>

const CREATE_LOCKS = 'SHARE UPDATE EXCLUSIVE on the table: does not block reads and writes'
const DEFAULT_LOCKS = 'ACCESS EXCLUSIVE on the default partition'
const DRAIN_LOCKS = `ACCESS EXCLUSIVE on the table, repeatedly, while ${DRAIN_ROWS} rows are moved`

/** Creating a partition scans the default partition, if there is one, under a lock. */
function withLocks(rows: readonly PlanRow[]): PartitionRow[] {
  const drained = new Set(rows.filter(({ action }) => action === 'drain').map(({ table }) => table))
  return rows.map((row) => ({ ...row, locks: locksOf(row, drained.has(row.table)) }))
}

function locksOf({ action }: PlanRow, drained: boolean): string | null {
  if (action === 'drain') return DRAIN_LOCKS
  if (action === 'exists' || action === 'failed') return null
  return drained ? `${CREATE_LOCKS}; ${DEFAULT_LOCKS} while it is read` : CREATE_LOCKS
}

const columns = `
  schema_name || '.' || table_name as "table", partition_name as partition, action,
  lower as "from", upper as "to", message`

/**
 * What {@link applyPartitions} would do.
 *
 * @param asOf act as if it were this time; default now
 */
export async function planPartitions(
  database: Database,
  actor: Actor,
  asOf?: Date,
  options: PartitionOptions = {},
): Promise<PartitionRow[]> {
  return await database.transaction(
    actor,
    async (session) => {
      const { rows } = await session.query<PlanRow>(
        `select ${columns} from akashi_lifecycle.plan_partitions(coalesce($1::timestamptz, now()))`,
        [asOf?.toISOString() ?? null],
      )
      return withLocks(rows)
    },
    { ...options, readOnly: true },
  )
}

/**
 * Moves the rows of default partitions into regular partitions, and creates every missing partition from now to as
 * far ahead as the policies say. Idempotent. A failure is reported in the table's row and does not stop the others.
 *
 * @param asOf act as if it were this time; default now
 * @returns one row for each partition that was missing
 */
export async function applyPartitions(
  database: Database,
  actor: Actor,
  asOf?: Date,
  options: PartitionOptions = {},
): Promise<PartitionRow[]> {
  const settled: PartitionRow[] = await drainDefaults(database, actor, options)
  for (let attempt = 1; ; attempt += 1) {
    const rows = await applyOnce(database, actor, asOf, options)
    const failed = rows.filter((row) => row.action === 'failed')
    settled.push(...rows.filter((row) => row.action !== 'failed'))
    if (failed.length === 0 || attempt === APPLY_ATTEMPTS) {
      return [...settled, ...failed].sort(byTableAndTime)
    }
    await sleep(APPLY_PAUSE_MS, undefined, options)
  }
}

const defaultsSql = `
  select schema_name || '.' || table_name as "table", format('%I.%I', schema_name, table_name) as relation,
         akashi_lifecycle.default_partition(to_regclass(format('%I.%I', schema_name, table_name)))::text as partition
  from akashi_lifecycle.policies
  where akashi_lifecycle.default_partition(to_regclass(format('%I.%I', schema_name, table_name))) is not null
  order by schema_name, table_name`

const drainSql = `
  select action, partition_name as partition, lower as "from", upper as "to", moved::float8 as moved
  from akashi_lifecycle.drain_default($1::regclass, $2)`

/** Each step is its own transaction, so that an interrupted run loses nothing and the next one continues. */
async function drainDefaults(
  database: Database,
  actor: Actor,
  options: PartitionOptions,
): Promise<PartitionRow[]> {
  const { rows: tables } = await database.transaction(
    actor,
    (session) => session.query<{ table: string; relation: string; partition: string }>(defaultsSql),
    { ...options, readOnly: true },
  )
  const done: PartitionRow[] = []
  for (const { table, relation, partition } of tables) {
    try {
      for (;;) {
        const step = await drainStep(database, actor, relation, options)
        if (step === undefined || step.action === 'none') break
        const message = `${step.moved} rows of ${partition}`
        const { action, from, to } = step
        done.push({ table, partition: step.partition, action, from, to, message, locks: DRAIN_LOCKS })
        if (step.action === 'detached') break
      }
    } catch (error) {
      if (!(error instanceof AkashiError) || options.signal?.aborted === true) throw error
      const { message } = error
      done.push({ table, partition, action: 'failed', from: null, to: null, message, locks: null })
    }
  }
  return done
}

interface DrainStep {
  readonly action: 'none' | 'drained' | 'detached'
  readonly partition: string
  readonly from: string | null
  readonly to: string | null
  readonly moved: number
}

async function drainStep(
  database: Database,
  actor: Actor,
  relation: string,
  options: PartitionOptions,
): Promise<DrainStep | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { rows } = await database.transaction(
        actor,
        (session) => session.query<DrainStep>(drainSql, [relation, DRAIN_ROWS]),
        { ...options, timeoutMs: APPLY_TIMEOUT_MS },
      )
      return rows[0]
    } catch (error) {
      if (sqlState(error) !== SQLSTATE.lockNotAvailable || attempt === APPLY_ATTEMPTS) throw error
      await sleep(APPLY_PAUSE_MS, undefined, options)
    }
  }
}

async function applyOnce(
  database: Database,
  actor: Actor,
  asOf: Date | undefined,
  options: PartitionOptions,
): Promise<PartitionRow[]> {
  const created: PartitionRow[] = []
  for (;;) {
    const rows = await applySome(database, actor, asOf, options)
    const some = rows.filter(({ action }) => action === 'created')
    // What failed or existed is planned again in the next round.
    if (some.length < CREATED_AT_ONCE) return [...created, ...rows]
    created.push(...some)
  }
}

async function applySome(
  database: Database,
  actor: Actor,
  asOf: Date | undefined,
  options: PartitionOptions,
): Promise<PartitionRow[]> {
  const transactionOptions: TransactionOptions = { ...options, timeoutMs: APPLY_TIMEOUT_MS }
  return await database.transaction(
    actor,
    async (session) => {
      const { rows } = await session.query<PlanRow>(
        `select ${columns} from akashi_lifecycle.apply_partitions(coalesce($1::timestamptz, now()), $2)`,
        [asOf?.toISOString() ?? null, CREATED_AT_ONCE],
      )
      // Remaining rows to drain were reported above, with the reason.
      return withLocks(rows).filter(({ action }) => action !== 'drain')
    },
    transactionOptions,
  )
}

function byTableAndTime(a: PartitionRow, b: PartitionRow): number {
  const [left, right] = a.table === b.table ? [a.from ?? '', b.from ?? ''] : [a.table, b.table]
  return left === right ? 0 : left < right ? -1 : 1
}

/**
 * Adjacent ranges are joined, so that a gap is noticed even if there are partitions after it. A default partition does
 * not count: rows in it prevent the creation of the partition that they belong to.
 */
const statusSql = `
  with covered as (
    select p.schema_name, p.table_name, count(i.inhrelid)::integer as partitions,
           range_agg(tstzrange(b.lower, b.upper)) filter (where b.upper is not null) as ranges
    from akashi_lifecycle.policies p
    left join pg_catalog.pg_inherits i on i.inhparent = to_regclass(format('%I.%I', p.schema_name, p.table_name))
    left join lateral akashi_lifecycle.partition_bounds(i.inhrelid::regclass) b on true
    where to_regclass(format('%I.%I', p.schema_name, p.table_name)) is not null
    group by p.schema_name, p.table_name
  ), reach as (
    select c.schema_name, c.table_name, c.partitions, p.interval, p.premake, at.moment,
           (select upper(r) from unnest(c.ranges) r where r @> at.moment) as until
    from covered c
    join akashi_lifecycle.policies p using (schema_name, table_name)
    cross join (select coalesce($1::timestamptz, now()) as moment) at
  )
  select schema_name || '.' || table_name as "table", interval, premake, partitions, until as "coveredUntil",
         case when isfinite(until) then extract(epoch from until - moment)::float8 end as "headroomSeconds",
         coalesce(until < moment + case interval when 'day' then make_interval(days => $2) else make_interval(months => $3) end, true) as alarm
  from reach
  order by schema_name, table_name`

/**
 * How far ahead each table has partitions.
 *
 * @param asOf act as if it were this time; default now
 */
export async function partitionStatus(
  database: Database,
  actor: Actor,
  asOf?: Date,
  options: PartitionOptions = {},
): Promise<PartitionStatus[]> {
  return await database.transaction(
    actor,
    async (session) => {
      const { rows } = await session.query<PartitionStatus>(statusSql, [
        asOf?.toISOString() ?? null,
        DAILY_HEADROOM_DAYS,
        MONTHLY_HEADROOM_MONTHS,
      ])
      return rows
    },
    { ...options, readOnly: true },
  )
}
