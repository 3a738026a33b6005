/**
 * Whether a table matches the trail: each row is the latest version of its record, and each record that
 * exists according to the trail is in the table. This also finds changes that left no trace in the
 * write-ahead log.
 */
import { createHash } from 'node:crypto'
import { AkashiError, quoteName } from '../../foundation/index.ts'
import type { Database, DirectSession, Session } from '../../postgres/index.ts'
import type { Found } from './discrepancy.ts'
import { STATE_START, type StatePosition } from './position.ts'
import { nameOf, type Protection } from './protections.ts'
import { type Relation, Types } from './relations.ts'
import { differing, recordKey, recordName, shownValues } from './values.ts'

/** Rows or records that are compared in one snapshot. */
const BATCH = 5_000
/** Bytes of text that a snapshot compares: after a batch that had more, the next has fewer rows. */
const BATCH_BYTES = 32 * 1024 * 1024
/** Rows of the first batch, and of any: the widest rows are read by so many. */
const FIRST_BATCH = 500
const LEAST_BATCH = 20
/** Longer texts, in bytes, are compared by their digest; the program gets no more of a batch than {@link BATCH} of these. */
const LONG_TEXT = 8_192
/** Bytes of rows that the program compares at a time. */
const COMPARED_BYTES = 8 * 1024 * 1024
/** Findings of one table that are listed individually; the others are counted. */
const MAX_NAMED = 1_000

export interface StateReport {
  /** `schema.table` */
  readonly table: string
  /** Rows that were compared, including those that are not in the trail. */
  readonly rows: number
  /** Rows from before the protection without a recorded baseline, or whose versions are archived. */
  readonly withoutVersion: number
  readonly different: number
  readonly missing: number
  /** Why records without a row were not searched for; null if they were. */
  readonly note: string | null
}

export interface StateOptions {
  readonly signal?: AbortSignal
  readonly from?: StatePosition
  /** Called after each batch; a check that continues from there compares nothing twice. */
  readonly onBatch?: (position: StatePosition, report: StateReport) => void
  /** Stores findings. */
  readonly keep: (found: readonly Found[]) => Promise<void>
}

interface Table {
  readonly schema: string
  readonly table: string
  readonly protection: Protection
  readonly baseline: boolean
  /** A policy detaches partitions, so their rows are not missing. */
  readonly expires: boolean
  readonly names: readonly string[]
  readonly leaves: readonly Leaf[]
}

/** A partition, or the table itself. */
interface Leaf extends Relation {
  /**
   * SQL for the values of a row with the alias r as the trail shows them; null if only the program can
   * compute them.
   */
  readonly shown: string | null
  /** The key of such a row in the form of record_id in the trail. */
  readonly record: string | null
  /** Columns that are computed when they are read, which the trail does not have. */
  readonly virtual: readonly string[]
}

/** A row as of this snapshot. */
interface Row {
  readonly at: string
  readonly record: string | null
  /** Null if only the program can compute them. */
  readonly values: string | null
  /** Of the text of the whole row. */
  readonly bytes: number
}

/** What stands for a long text. That of an object begins otherwise. */
const DIGEST = 'sha256 '

function digestedIfLong(text: string): string {
  return `case when octet_length(${text}) > ${LONG_TEXT} then '${DIGEST}' || encode(sha256(convert_to(${text}, 'UTF8')), 'hex') else ${text} end`
}

const isolated = 'begin isolation level repeatable read read only'
/** Policies of a table may hide rows and run code of its owner; those of the trail show the worker everything. */
const ofTable = 'reset role; set local row_security = off'
const ofTrail = 'set local role akashi_worker; set local row_security = on'
/**
 * A batch of records comes in the order of their index; the planner expects few, and would read and sort the whole trail
 * each time.
 */
const settings = ['enable_seqscan', 'enable_bitmapscan', 'enable_sort']
const byIndex = settings.map((name) => `set local ${name} = off`).join('; ')
const byAnything = [...settings, 'enable_indexscan', 'enable_indexonlyscan']
  .map((name) => `set local ${name} = on`)
  .join('; ')
const byTable = ['enable_indexscan', 'enable_indexonlyscan', 'enable_bitmapscan']
  .map((name) => `set local ${name} = off`)
  .join('; ')

type Counts = Pick<StateReport, 'rows' | 'withoutVersion' | 'different' | 'missing'>

/**
 * Looks for rows that are not what the trail says and for records that have no row at the same time, on a connection each:
 * most of either is waiting for the server. A position is one of the rows until these are done.
 *
 * @param owner may read the table: its owner, or a superuser
 */
export async function verifyState(
  owner: Database,
  table: { readonly schema: string; readonly table: string },
  options: StateOptions,
): Promise<StateReport> {
  const start = options.from ?? STATE_START
  const phases: readonly StatePosition['phase'][] = start.phase === 'rows' ? ['rows', 'records'] : ['records']
  const failing = new AbortController()
  const signal = AbortSignal.any([failing.signal, ...(options.signal === undefined ? [] : [options.signal])])
  const reports = new Map<StatePosition['phase'], StateReport>()
  const onBatch = (position: StatePosition, report: StateReport) => {
    reports.set(position.phase, report)
    if (position.phase === 'records' && !done.has('rows') && phases.includes('rows')) return
    options.onBatch?.(position, together([...reports.values()]))
  }
  const done = new Set<StatePosition['phase']>()
  const finished = await Promise.allSettled(
    phases.map(async (phase) => {
      const from = phase === start.phase ? start : { phase, relation: 0, after: null }
      try {
        const report = await owner.direct(
          (session) => new StateCheck(session, { ...options, from, signal, onBatch }).run(table),
          { timeoutMs: 0, signal },
        )
        reports.set(phase, report)
        done.add(phase)
        return report
      } catch (error) {
        failing.abort()
        throw error
      }
    }),
  )
  const failed = finished.filter((each) => each.status === 'rejected')
  // The first to fail has ended the other.
  const error = failed.map(({ reason }) => reason as unknown).find((each) => !isCancelled(each))
  if (failed.length > 0) throw error ?? failed[0]?.reason
  return together(finished.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])))
}

function isCancelled(error: unknown): boolean {
  return error instanceof AkashiError && error.code === 'cancelled'
}

function together(reports: readonly StateReport[]): StateReport {
  const sum = (name: keyof Counts) => reports.reduce((all, report) => all + report[name], 0)
  return {
    table: reports[0]?.table ?? '',
    rows: sum('rows'),
    withoutVersion: sum('withoutVersion'),
    different: sum('different'),
    missing: sum('missing'),
    note: reports.find(({ note }) => note !== null)?.note ?? null,
  }
}

interface PhaseOptions extends StateOptions {
  readonly from: StatePosition
}

/** One phase of a check. */
class StateCheck {
  readonly #session: DirectSession
  readonly #options: PhaseOptions
  #report: { -readonly [name in keyof Counts]: number } = {
    rows: 0,
    withoutVersion: 0,
    different: 0,
    missing: 0,
  }
  #found: Found[] = []
  #rowsOfBatch = FIRST_BATCH
  /** Whether a partition was truncated, so that records from before may have no row. */
  #emptied = false
  /**
   * Former keys of records, with the number of the change that replaced them; complete for transactions
   * before `xid`.
   */
  readonly #moved = { keys: new Map<string, bigint>(), xid: '0' }

  constructor(session: DirectSession, options: PhaseOptions) {
    this.#session = session
    this.#options = options
  }

  async run(wanted: { readonly schema: string; readonly table: string }): Promise<StateReport> {
    await this.#session.query('set jit = off')
    const table = await this.#inSnapshot(() => readTable(this.#session, wanted))
    const { phase, relation, after } = this.#options.from
    if (phase === 'rows') {
      for (const leaf of table.leaves) {
        if (leaf.oid < relation) continue
        await this.#rows(table, leaf, leaf.oid === relation ? after : null)
      }
    } else if (!table.expires) await this.#records(table, after)
    await this.#flush()
    return this.#result(table)
  }

  #result(table: Table): StateReport {
    return {
      table: `${table.schema}.${table.table}`,
      ...this.#report,
      note: table.expires
        ? 'partitions of the table expire, so records without a row were not searched for'
        : this.#emptied
          ? 'a partition was truncated, so earlier records without a row were not searched for'
          : null,
    }
  }

  /** The rows of one partition in the order of the key. */
  async #rows(table: Table, leaf: Leaf, from: readonly string[] | null): Promise<void> {
    let after = from
    for (;;) {
      this.#options.signal?.throwIfAborted()
      const limit = this.#rowsOfBatch
      const last: readonly string[] | null = await this.#confirmed(async () => {
        const { whole } = await this.#truncations(table)
        const rows = await this.#read(table, leaf, after, limit)
        this.#rowsOfBatch = nextBatch(limit, rows)
        const open = await this.#notAsShown(table, whole, rows)
        for (const some of bySize(open)) await this.#compareRows(table, leaf, whole, some)
        const end = rows.length < limit ? undefined : rows.at(-1)
        return end === undefined ? null : await this.#keyAt(table, leaf, end.at)
      })
      if (last === null) await this.#compareWithIndexes(table, leaf)
      await this.#flush()
      if (last === null) return
      after = last
      this.#options.onBatch?.({ phase: 'rows', relation: leaf.oid, after }, this.#result(table))
    }
  }

  /** Rows were read by an index, which can lack some: a superuser can put a row into a table past its indexes. */
  async #compareWithIndexes(table: Table, leaf: Leaf): Promise<void> {
    const name = `${leaf.schema}.${leaf.table}`
    const rows = `from only ${quoteName(leaf.schema)}.${quoteName(leaf.table)} r`
    const keys = table.protection.key.map((column) => `r.${quoteName(column)}`)
    await this.#inSnapshot(async () => {
      const count = async (select: string) => {
        const { rows: counted } = await this.#session.query<{ n: string }>(select)
        return counted[0]?.n ?? ''
      }
      await this.#session.query(byTable)
      const all = await count(`select count(*)::text as n ${rows}`)
      await this.#session.query(`${byAnything}; ${byIndex}`)
      const indexed = await count(
        `select count(*)::text as n from (select ${rows} order by ${keys.join(', ')} offset '0') k`,
      )
      if (all === indexed) return
      const detail = `${name} has ${all} rows and the index of its key ${indexed}: reindex it, and compare its rows again`
      this.#add(table, leaf, '', [all, indexed], detail)
    })
  }

  async #read(table: Table, leaf: Leaf, after: readonly string[] | null, limit: number): Promise<Row[]> {
    const keys = table.protection.key.map((name) => `r.${quoteName(name)}`)
    const lengths = leaf.columns.map(({ name }) => `coalesce(octet_length(${textOf(name)}), 0)`).join(' + ')
    const { rows } = await this.#session.query<Row>(
      `select p.at, p.record, ${digestedIfLong('p.shown')} as values,
              ${leaf.shown === null ? 'p.bytes' : 'octet_length(p.shown)::bigint'}::float8 as bytes
       from (
         select r.ctid::text as at, ${leaf.record ?? 'null::text'} as record, ${leaf.shown ?? 'null::text'} as shown,
                ${leaf.shown === null ? `(${lengths})::bigint` : 'null::bigint'} as bytes
         from only ${quoteName(leaf.schema)}.${quoteName(leaf.table)} r
         ${after === null ? '' : `where (${keys.join(', ')}) > (${keys.map((_, place) => `$${place + 2}`).join(', ')})`}
         order by ${keys.join(', ')} limit $1
       ) p`,
      [limit, ...(after ?? [])],
    )
    return rows
  }

  /**
   * Rows whose text differs from that in the trail; most rows of a table are equal and need no further
   * comparison.
   */
  async #notAsShown(table: Table, truncated: bigint, rows: readonly Row[]): Promise<Row[]> {
    const names = rows.flatMap(({ record }) => (record === null ? [] : [recordName(record)]))
    if (names.length === 0) return [...rows]
    const versions = await this.#versions(table, names, hiddenColumns(table.protection))
    return rows.filter(({ record, values }) => {
      const version = record === null ? undefined : versions.get(recordName(record))
      const fits =
        version === undefined
          ? record !== null && !table.baseline
          : version.operation !== 'DELETE' && version.seq >= truncated && version.values === values
      if (!fits) return true
      this.#report.rows += 1
      if (version === undefined) this.#report.withoutVersion += 1
      return false
    })
  }

  async #compareRows(table: Table, leaf: Leaf, truncated: bigint, open: readonly Row[]): Promise<void> {
    const { rows } = await this.#session.query<{ values: (string | null)[] }>(
      `select array[${leaf.columns.map(({ name }) => textOf(name)).join(', ')}]::text[] as values
       from only ${quoteName(leaf.schema)}.${quoteName(leaf.table)} r where r.ctid = any ($1::tid[])`,
      [open.map(({ at }) => at)],
    )
    const records = rows.map(({ values }) => ({
      values,
      record: recordKey(leaf, table.protection, values) ?? '',
    }))
    const versions = await this.#versions(
      table,
      records.map(({ record }) => record),
    )
    for (const { values, record } of records) {
      const version = versions.get(record)
      const whole = version?.values?.startsWith(DIGEST) === true ? await this.#whole(table, record) : version
      this.#compareRow(table, leaf, truncated, values, record, whole)
    }
  }

  /** The texts of the key of a row. */
  async #keyAt(table: Table, leaf: Leaf, at: string): Promise<readonly string[]> {
    const { rows } = await this.#session.query<{ key: string[] }>(
      `select array[${table.protection.key.map(textOf).join(', ')}]::text[] as key
       from only ${quoteName(leaf.schema)}.${quoteName(leaf.table)} r where r.ctid = $1::tid`,
      [at],
    )
    return rows[0]?.key ?? []
  }

  #compareRow(
    table: Table,
    leaf: Leaf,
    truncated: bigint,
    values: readonly (string | null)[],
    record: string,
    version: Version | undefined,
  ): void {
    this.#report.rows += 1
    const named = `${leaf.schema}.${leaf.table} ${record}`
    if (version === undefined) {
      if (!table.baseline) this.#report.withoutVersion += 1
      else
        this.#add(table, leaf, record, values, `${named} is in the table, but the trail has no record of it`)
      return
    }
    if (version.operation === 'DELETE') {
      this.#add(
        table,
        leaf,
        record,
        values,
        `${named} is in the table, but according to the trail it was deleted`,
      )
    } else if (version.seq < truncated) {
      this.#add(
        table,
        leaf,
        record,
        values,
        `${named} is in the table, but according to the trail it was truncated`,
      )
    } else {
      const shown = shownValues(version.values)
      const hidden = hiddenColumns(table.protection)
      const columns = [
        ...differing(leaf, table.protection, values, shown, { ignored: true, added: true }),
        ...leaf.virtual.filter((name) => shown.has(name) && !hidden.includes(name)),
      ]
      if (columns.length > 0)
        this.#add(table, leaf, record, values, `${named} differs from the trail: ${columns.join(', ')}`)
    }
  }

  /** Records that exist according to the trail, ordered by id. */
  async #records(table: Table, from: readonly string[] | null): Promise<void> {
    let after = from?.[0] ?? null
    for (;;) {
      this.#options.signal?.throwIfAborted()
      const last: string | null = await this.#confirmed(async () => {
        const { whole, part } = await this.#truncations(table)
        this.#emptied ||= part > whole
        const records = await this.#recorded(table, after)
        const there = records.filter(
          ({ id, operation, seq }) =>
            operation !== 'DELETE' &&
            // The trail does not record which partition a record was in.
            seq > whole &&
            seq > part &&
            !id.startsWith('sha256:'),
        )
        const absent = await this.#absent(table, there)
        const moved = absent.length === 0 ? undefined : await this.#movedAway(table)
        for (const { id, seq } of absent) {
          if ((moved?.get(id) ?? -1n) >= seq) continue
          this.#report.missing += 1
          this.#add(
            table,
            table,
            id,
            [],
            `${table.schema}.${table.table} ${id} is not in the table, but according to the trail it should be`,
          )
        }
        return records.length < BATCH ? null : (records.at(-1)?.id ?? null)
      })
      await this.#flush()
      if (last === null) return
      after = last
      this.#options.onBatch?.({ phase: 'records', relation: 0, after: [after] }, this.#result(table))
    }
  }

  /** The latest versions of the records after an id, with their keys. */
  async #recorded(table: Table, after: string | null): Promise<Recorded[]> {
    await this.#session.query(`${ofTrail}; ${byIndex}`)
    // A record's name is its key where that is one column.
    const [values, key] =
      table.protection.key.length === 1
        ? ['', 'array[v.id]']
        : [', a.new_values', 'array(select v.new_values ->> k.name from unnest($2::text[]) k (name))']
    const { rows } = await this.#session.query<Recorded>(
      `select v.id, v.operation, v.seq, case when $2::text[] is not null then ${key} end as key
       from (
         select distinct on (a.record_id) a.record_id as id, a.operation, a.seq${values}
         from akashi_audit.audit_logs a
         where ${after === null ? 'a.record_id is not null' : 'a.record_id > $4'} and a.event_type in ('data_change', 'data_baseline')
           and ${ofNames(table, '$3')}
         order by a.record_id, a.seq desc limit $1
       ) v`,
      [BATCH, table.protection.key, namesOf(table), ...(after === null ? [] : [after])],
    )
    await this.#session.query(`${ofTable}; ${byAnything}`)
    return rows
  }

  /** Which of the records have no row. */
  async #absent(table: Table, records: readonly Recorded[]): Promise<Recorded[]> {
    const { key } = table.protection
    const [leaf] = table.leaves
    if (records.length === 0 || leaf === undefined) return [...records]
    const { rows: types } = await this.#session.query<{ type: string }>(
      `select format_type(case when t.typtype = 'd' then t.typbasetype else a.atttypid end, null) as type
       from unnest($2::text[]) with ordinality k (name, place) join pg_attribute a on a.attrelid = $1 and a.attname = k.name
       join pg_type t on t.oid = a.atttypid order by k.place`,
      [leaf.oid, key],
    )
    const keys = key.map((name) => `r.${quoteName(name)}`)
    const { rows } = await this.#session.query<{ place: bigint }>(
      `select w.place from unnest(${types.map(({ type }, place) => `$${place + 1}::${type}[]`).join(', ')})
         with ordinality w (${key.map((_, place) => `k${place}`).join(', ')}, place)
       where not exists (select from ${table.leaves.length === 1 && leaf.names.length === 1 ? 'only ' : ''}${quoteName(table.schema)}.${quoteName(table.table)} r
                         where ${keys.map((name, place) => `${name} = w.k${place}`).join(' and ')})
       order by w.place`,
      key.map((_, place) => records.map((record) => record.key[place] ?? null)),
    )
    return rows.flatMap(({ place }) => records[Number(place) - 1] ?? [])
  }

  /** A version with its values, however long they are. */
  async #whole(table: Table, record: string): Promise<Version | undefined> {
    return (await this.#versions(table, [record], [], 'w.shown')).get(record)
  }

  /** @param hidden columns that the values are read without */
  async #versions(
    table: Table,
    records: readonly string[],
    hidden: readonly string[] = [],
    values = digestedIfLong('w.shown'),
  ): Promise<Map<string, Version>> {
    await this.#session.query(ofTrail)
    const { rows } = await this.#session.query<Version & { id: string }>(
      `select w.id, w.operation, w.seq, ${values} as values
       from (
       select v.id, v.operation, v.seq, case when $3::text[] = '{}' then v.new_values else v.new_values - $3::text[] end::text as shown
       from (
         select distinct on (a.record_id collate "C") a.record_id as id, a.operation, a.seq, a.new_values
         from akashi_audit.audit_logs a
         -- From a subquery, so that the planner does not look at each of the names in each partition.
         where a.record_id = any ((select $1::text[])::text[]) and a.event_type in ('data_change', 'data_baseline')
           and ${ofNames(table, '$2')}
         order by a.record_id collate "C", a.seq desc
       ) v
       -- A fence, so that each is printed once.
       offset '0'
       ) w`,
      [records, namesOf(table), hidden],
    )
    await this.#session.query(ofTable)
    return new Map(rows.map((row) => [row.id, row]))
  }

  /** The number of the last TRUNCATE of the whole table, and of a partition. */
  async #truncations(table: Table): Promise<{ readonly whole: bigint; readonly part: bigint }> {
    await this.#session.query(ofTrail)
    const { rows } = await this.#session.query<{ whole: bigint | null; part: bigint | null }>(
      `select max(seq) filter (where (schema_name, table_name) = ($1, $2)) as whole,
              max(seq) filter (where (schema_name, table_name) <> ($1, $2)) as part
       from akashi_audit.audit_logs
       where (schema_name, table_name) in (select n ->> 0, n ->> 1 from unnest($3::jsonb[]) n)
         and operation = 'TRUNCATE' and event_type = 'data_change' and record_id is null`,
      [table.schema, table.table, table.names],
    )
    await this.#session.query(ofTable)
    return { whole: rows[0]?.whole ?? -1n, part: rows[0]?.part ?? -1n }
  }

  async #movedAway(table: Table): Promise<ReadonlyMap<string, bigint>> {
    await this.#session.query(ofTrail)
    const { rows } = await this.#session.query<{ id: string; seq: bigint }>(
      `select a.detail ->> 'previous_record_id' as id, max(a.seq) as seq from akashi_audit.audit_logs a
       where a.operation = 'UPDATE' and a.event_type = 'data_change' and a.detail ? 'previous_record_id' and a.xid >= $2::xid8
         and (a.schema_name, a.table_name) in (select n ->> 0, n ->> 1 from unnest($1::jsonb[]) n)
       group by 1`,
      [table.names, this.#moved.xid],
    )
    const { rows: ended } = await this.#session.query<{ xid: string }>(
      'select pg_snapshot_xmin(pg_current_snapshot())::text as xid',
    )
    await this.#session.query(ofTable)
    const { keys } = this.#moved
    for (const { id, seq } of rows) if (seq > (keys.get(id) ?? -1n)) keys.set(id, seq)
    this.#moved.xid = ended[0]?.xid ?? this.#moved.xid
    return keys
  }

  #add(
    table: Table,
    where: { readonly schema: string; readonly table: string },
    record: string,
    values: readonly (string | null)[],
    detail: string,
  ): void {
    if (values.length > 0) this.#report.different += 1
    const named = this.#report.different + this.#report.missing
    if (named > MAX_NAMED + 1) return
    const mark = createHash('sha256')
      .update(JSON.stringify([detail, values]))
      .digest('hex')
      .slice(0, 32)
    const more = named > MAX_NAMED
    this.#found.push({
      kind: 'state',
      place: `state/${nameOf(table.schema, table.table)}/${mark}`,
      schema_name: where.schema,
      table_name: where.table,
      ...(more ? {} : { record_id: record }),
      detail: more
        ? `more rows of ${table.schema}.${table.table} differ: akashi verify --state counts them`
        : detail,
    })
  }

  async #flush(): Promise<void> {
    if (this.#found.length === 0) return
    const found = this.#found
    this.#found = []
    await this.#options.keep(found)
  }

  /**
   * Compares differences again in another snapshot: a TRUNCATE empties a table immediately, even for an older
   * snapshot, which does not see its row in the trail yet.
   */
  async #confirmed<T>(work: () => Promise<T>): Promise<T> {
    const [report, found] = [{ ...this.#report }, [...this.#found]]
    const result = await this.#inSnapshot(work)
    const { different, missing } = this.#report
    if (different === report.different && missing === report.missing) return result
    this.#report = report
    this.#found = found
    return await this.#inSnapshot(work)
  }

  /** Rows and versions of one snapshot. */
  async #inSnapshot<T>(work: () => Promise<T>): Promise<T> {
    await this.#session.query(`${isolated}; ${ofTable}`)
    try {
      const result = await work()
      await this.#session.query('commit')
      return result
    } catch (error) {
      await this.#session.query('rollback').catch(() => undefined)
      throw error
    }
  }
}

/** Rows a of the trail that are of a table or its partitions. A join would not keep the order of an index. */
function ofNames({ names }: Table, parameter: string): string {
  return names.length === 1
    ? `a.schema_name = (${parameter}::text[])[1] and a.table_name = (${parameter}::text[])[2]`
    : `jsonb_build_array(a.schema_name, a.table_name) = any (${parameter}::jsonb[])`
}

function namesOf({ names }: Table): readonly string[] {
  const [only] = names
  return names.length === 1 && only !== undefined ? JSON.parse(only) : names
}

interface Version {
  readonly operation: string
  readonly seq: bigint
  /** JSON, or the digest of a long one. */
  readonly values: string | null
}

function nextBatch(limit: number, rows: readonly Row[]): number {
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0)
  const fitting = Math.floor((BATCH_BYTES * rows.length) / Math.max(bytes, 1))
  return rows.length === 0 ? limit : Math.max(LEAST_BATCH, Math.min(fitting, limit * 8, BATCH))
}

/** The rows in groups of {@link COMPARED_BYTES} or of one row. */
function bySize(rows: readonly Row[]): Row[][] {
  const groups: Row[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const row of rows) {
    bytes += row.bytes
    if (bytes > COMPARED_BYTES) {
      groups.push([])
      bytes = row.bytes
    }
    groups.at(-1)?.push(row)
  }
  return groups
}

interface Recorded {
  readonly id: string
  readonly operation: string
  readonly seq: bigint
  /** The texts of the columns of the key. */
  readonly key: readonly (string | null)[]
}

/**
 * A column's text from its type's output function, without casts, which the type's owner may have created.
 */
function textOf(name: string): string {
  const column = `r.${quoteName(name)}`
  return `case when num_nulls(${column}) = 0 then concat(${column}) end`
}

/** Columns that are not compared by their text. */
function hiddenColumns({ ignored, digested, omitted }: Protection): string[] {
  return [...ignored, ...digested, ...omitted]
}

/** Types whose text is what to_jsonb() shows of them: bigint, smallint, integer, text, varchar and uuid. */
const SHOWN_AS_TEXT = [20, 21, 23, 25, 1043, 2950]

/** The expressions of a leaf; null where a column's JSON is not that of its text or of a type of the server. */
function expressions(
  columns: readonly { readonly name: string; readonly type: number }[],
  protection: Protection,
  types: Types,
  hasVirtual: boolean,
): Pick<Leaf, 'shown' | 'record'> {
  const read = new Map<string, string>()
  for (const { name, type } of columns) {
    const as = types.readAs(type)
    if (as !== null) read.set(name, as === 'text' ? textOf(name) : `r.${quoteName(name)}`)
  }
  const hidden = hiddenColumns(protection)
  const compared = columns.filter(({ name }) => !hidden.includes(name))
  const known = compared.every(({ name }) => read.has(name)) && protection.key.every((name) => read.has(name))
  if (!known) return { shown: null, record: null }
  // A whole row costs half of one that is put together.
  const whole =
    hidden.length === 0 && !hasVirtual && columns.every(({ type }) => types.readAs(type) === 'value')
  const [first = '', ...more] = protection.key
  const key = read.get(first) ?? ''
  const plain = columns.some(({ name, type }) => name === first && SHOWN_AS_TEXT.includes(type))
  return {
    shown: whole
      ? 'to_jsonb(r.*)::text'
      : `(select to_jsonb(k.*) from (select ${compared.map(({ name }) => `${read.get(name)} as ${quoteName(name)}`).join(', ')}) k)::text`,
    record:
      more.length > 0
        ? `jsonb_build_array(${protection.key.map((name) => read.get(name) ?? '').join(', ')})::text`
        : plain
          ? `${key}::text`
          : `to_jsonb(${key}) #>> '{}'`,
  }
}

async function readTable(
  session: Session,
  { schema, table }: { readonly schema: string; readonly table: string },
): Promise<Table> {
  const { rows } = await session.query<{
    key: string[]
    ignored: string[]
    digested: string[]
    omitted: string[]
    baseline: boolean
    expires: boolean
    leaves: {
      oid: number
      schema: string
      table: string
      columns: { name: string; type: number }[]
      virtual: string[]
    }[]
    names: [string, string][]
  }>(
    `select p.key_columns as key, p.ignored_columns as ignored, p.digest_columns as digested, p.omitted_columns as omitted,
            p.baseline_at is not null as baseline,
            exists (select from akashi_lifecycle.retention y where (y.schema_name, y.table_name) = (p.schema_name, p.table_name)) as expires,
            part.leaves, part.names
     from akashi_audit.protected_tables p
     join pg_namespace n on n.nspname = p.schema_name join pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
     cross join lateral (
       select coalesce(jsonb_agg(jsonb_build_object('oid', k.oid::bigint, 'schema', kn.nspname, 'table', k.relname, 'columns',
                (select jsonb_agg(jsonb_build_object('name', a.attname, 'type', a.atttypid::bigint) order by a.attnum)
                 from pg_attribute a where a.attrelid = k.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'),
                'virtual', array(select a.attname from pg_attribute a where a.attrelid = k.oid and a.attgenerated = 'v' and not a.attisdropped))
                order by k.oid) filter (where k.relkind = 'r'), '[]') as leaves,
              jsonb_agg(jsonb_build_array(kn.nspname, k.relname)) as names
       from (select relid::oid as oid from pg_partition_tree(c.oid::regclass) union select c.oid) t
       join pg_class k using (oid) join pg_namespace kn on kn.oid = k.relnamespace
     ) part
     where (p.schema_name, p.table_name) = ($1, $2)`,
    [schema, table],
  )
  const [row] = rows
  if (row === undefined) {
    throw new AkashiError('not_found', `${schema}.${table} is not under audit`, {
      hint: 'see akashi protect',
    })
  }
  const types = new Types()
  await types.load(
    session,
    row.leaves.flatMap(({ columns }) => columns.map(({ type }) => type)),
  )
  const names = row.names.map(([of, name]) => nameOf(of, name))
  const { key, ignored, digested, omitted } = row
  const protection = { schema, table, key, ignored, digested, omitted }
  return {
    schema,
    table,
    protection,
    baseline: row.baseline,
    expires: row.expires,
    names,
    leaves: row.leaves.map(({ oid, schema: of, table: name, columns, virtual }) => ({
      oid,
      schema: of,
      table: name,
      names,
      columns: columns.map((column) => ({ name: column.name, key: false, print: types.print(column.type) })),
      places: new Map(columns.map((column, place) => [column.name, place])),
      virtual,
      ...expressions(columns, protection, types, virtual.length > 0),
    })),
  }
}
