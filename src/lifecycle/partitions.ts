import { setTimeout as sleep } from 'node:timers/promises'
import { anonymous, type Database, type TransactionOptions } from '../postgres/index.ts'

/** Days that a table of daily partitions must be covered from now on; below it the alarm rings. */
export const DAILY_HEADROOM_DAYS = 7

/** Months that a table of monthly partitions must be covered from now on; below it the alarm rings. */
export const MONTHLY_HEADROOM_MONTHS = 1

/** How often a partition is tried that failed, mostly because its table was locked. */
const APPLY_ATTEMPTS = 3

/** Milliseconds between two attempts. */
const APPLY_PAUSE_MS = 1_000

/** Milliseconds for making every missing partition of every table; a first run after a long pause makes hundreds. */
const APPLY_TIMEOUT_MS = 300_000

/** What would be done, or was done, about one partition. */
export interface PartitionRow {
  /** `schema.table` */
  readonly table: string
  readonly partition: string
  /** `create` is a plan; `exists` means that somebody else made it meanwhile. */
  readonly action: 'create' | 'created' | 'exists' | 'failed'
  /** Bounds in UTC, the upper one exclusive. */
  readonly from: string
  readonly to: string
  /** Why it failed. */
  readonly message: string | null
}

export interface PartitionStatus {
  /** `schema.table` */
  readonly table: string
  readonly interval: 'day' | 'month'
  /** Partitions that the policy wants ahead of the current one. */
  readonly premake: number
  readonly partitions: number
  /** Up to when every moment from now on has its partition (`infinity` for no end); null when now has none. */
  readonly coveredUntil: string | null
  /** Seconds from now until then. */
  readonly headroomSeconds: number | null
  /** True when the headroom is below {@link DAILY_HEADROOM_DAYS} or {@link MONTHLY_HEADROOM_MONTHS}. */
  readonly alarm: boolean
}

export interface PartitionOptions {
  readonly signal?: AbortSignal
}

const columns = `
  schema_name || '.' || table_name as "table", partition_name as partition, action,
  lower as "from", upper as "to", message`

/**
 * What {@link applyPartitions} would do.
 *
 * @param asOf as if it were then; default now
 */
export async function planPartitions(
  database: Database,
  asOf?: Date,
  options: PartitionOptions = {},
): Promise<PartitionRow[]> {
  return await database.transaction(
    anonymous,
    async (session) => {
      const { rows } = await session.query<PartitionRow>(
        `select ${columns} from lifecycle.plan_partitions(coalesce($1::timestamptz, now()))`,
        [asOf?.toISOString() ?? null],
      )
      return rows
    },
    { ...options, readOnly: true },
  )
}

/**
 * Makes every partition that is missing between now and as far ahead as the policies want. Doing it again
 * makes nothing. One table's failure is a row with the reason and stops no other table.
 *
 * @param asOf as if it were then; default now
 * @returns one row for each partition that was missing
 */
export async function applyPartitions(
  database: Database,
  asOf?: Date,
  options: PartitionOptions = {},
): Promise<PartitionRow[]> {
  const settled: PartitionRow[] = []
  for (let attempt = 1; ; attempt += 1) {
    const rows = await applyOnce(database, asOf, options)
    const failed = rows.filter((row) => row.action === 'failed')
    settled.push(...rows.filter((row) => row.action !== 'failed'))
    if (failed.length === 0 || attempt === APPLY_ATTEMPTS) {
      return [...settled, ...failed].sort(byTableAndTime)
    }
    await sleep(APPLY_PAUSE_MS, undefined, options)
  }
}

async function applyOnce(
  database: Database,
  asOf: Date | undefined,
  options: PartitionOptions,
): Promise<PartitionRow[]> {
  const transactionOptions: TransactionOptions = { ...options, timeoutMs: APPLY_TIMEOUT_MS }
  return await database.transaction(
    anonymous,
    async (session) => {
      const { rows } = await session.query<PartitionRow>(
        `select ${columns} from lifecycle.apply_partitions(coalesce($1::timestamptz, now()))`,
        [asOf?.toISOString() ?? null],
      )
      return rows
    },
    transactionOptions,
  )
}

function byTableAndTime(a: PartitionRow, b: PartitionRow): number {
  const [left, right] = a.table === b.table ? [a.from, b.from] : [a.table, b.table]
  return left < right ? -1 : 1
}

/**
 * Ranges that touch are joined, so that a gap before a partition far ahead counts as what it is. A default
 * partition covers nothing: rows in it are in the way of the partition that they belong to.
 */
const statusSql = `
  with covered as (
    select p.schema_name, p.table_name, count(i.inhrelid)::integer as partitions,
           range_agg(tstzrange(b.lower, b.upper)) filter (where b.upper is not null) as ranges
    from lifecycle.policies p
    left join pg_catalog.pg_inherits i on i.inhparent = to_regclass(format('%I.%I', p.schema_name, p.table_name))
    left join lateral lifecycle.partition_bounds(i.inhrelid::regclass) b on true
    where to_regclass(format('%I.%I', p.schema_name, p.table_name)) is not null
    group by p.schema_name, p.table_name
  ), reach as (
    select c.schema_name, c.table_name, c.partitions, p.interval, p.premake, at.moment,
           (select upper(r) from unnest(c.ranges) r where r @> at.moment) as until
    from covered c
    join lifecycle.policies p using (schema_name, table_name)
    cross join (select coalesce($1::timestamptz, now()) as moment) at
  )
  select schema_name || '.' || table_name as "table", interval, premake, partitions, until as "coveredUntil",
         case when isfinite(until) then extract(epoch from until - moment)::float8 end as "headroomSeconds",
         coalesce(until < moment + case interval when 'day' then make_interval(days => $2) else make_interval(months => $3) end, true) as alarm
  from reach
  order by schema_name, table_name`

/**
 * How far ahead each table is covered.
 *
 * @param asOf as if it were then; default now
 */
export async function partitionStatus(
  database: Database,
  asOf?: Date,
  options: PartitionOptions = {},
): Promise<PartitionStatus[]> {
  return await database.transaction(
    anonymous,
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
