/** The PostgreSQL side of an archive: a partition, opened once, and which of its rows are read in which order. */
import { createHash, type Hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { type LogDefinition, logs, readHead } from '../../audit/index.ts'
import { AkashiError } from '../../foundation/index.ts'
import type { Session } from '../../postgres/index.ts'
import { type ArchivedColumn, copyExpression, readColumns, type TableColumn } from './columns.ts'
import { type MatchedColumn, orderExpression } from './matched-columns.ts'
import { identifier, literal } from './quote.ts'

/** A partition, whether it is attached, or detached into schema akashi_archive. */
export interface Target {
  readonly schema: string
  readonly table: string
  readonly partition: string
  /** Bounds in UTC as PostgreSQL's text in ISO 8601, the upper one exclusive. */
  readonly from: string
  readonly to: string
}

/** A range of rows in the order of the archive: after `after`, up to and including `upto`. */
export interface Window {
  readonly after: readonly string[] | null
  readonly upto: readonly string[] | null
}

export interface Source extends Target {
  /** The relation to read, quoted: the table itself, or the detached partition. */
  readonly relation: string
  readonly detached: boolean
  /** OID of that relation, and of the partition. */
  readonly oid: string
  readonly partitionOid: string
  readonly columns: readonly TableColumn[]
  /** Columns by which rows are ordered. */
  readonly order: readonly string[]
  readonly log: LogDefinition | null
}

/** The log that covers a table. */
export function logOf(schema: string, table: string): LogDefinition | null {
  return logs.find((log) => log.schema === schema && log.table === table) ?? null
}

const oidSql = `
  select c.oid::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where (n.nspname, c.relname) = ($1, $2)`

export async function oidOf(session: Session, schema: string, name: string): Promise<string> {
  const { rows } = await session.query<{ oid: string }>(oidSql, [schema, name])
  const [found] = rows
  if (found === undefined) throw new AkashiError('not_found', `there is no table ${schema}.${name}`)
  return found.oid
}

/**
 * Reads what there is to know of a partition, and locks its table against changes of its definition until the
 * transaction ends. Fails when reading it would run code of others, or row security could hide rows from this login.
 */
export async function openSource(session: Session, target: Target, detached = false): Promise<Source> {
  const [schema, name] = detached ? ['akashi_archive', target.partition] : [target.schema, target.table]
  const relation = `${identifier(schema)}.${identifier(name)}`
  await session.query('select akashi_audit.assert_unfiltered(akashi_lifecycle.own_table($1, $2))', [
    schema,
    name,
  ])
  const log = logOf(target.schema, target.table)
  const oid = await oidOf(session, schema, name)
  return {
    ...target,
    relation,
    detached,
    oid,
    partitionOid: detached ? oid : await oidOf(session, target.schema, target.partition),
    columns: await readColumns(session, relation),
    order: log === null ? await keyColumns(session, relation) : ['xid', 'seq'],
    log,
  }
}

/** Locks a source again in another transaction; `conflict` when its table was altered since it was opened. */
export async function reopenSource(session: Session, source: Source): Promise<void> {
  const again = await openSource(session, source, source.detached)
  if (JSON.stringify(again) === JSON.stringify({ ...again, ...source })) return
  throw new AkashiError('conflict', `${source.schema}.${source.table} was altered while it was archived`, {
    hint: 'the next run archives it in its new form',
  })
}

async function keyColumns(session: Session, relation: string): Promise<string[]> {
  const { rows } = await session.query<{ name: string }>(
    `select a.attname as name
     from pg_catalog.pg_index i
     cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (attnum, place)
     join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
     where i.indrelid = $1::regclass and i.indisprimary and k.place <= i.indnkeyatts order by k.place`,
    [relation],
  )
  if (rows.length === 0) {
    throw new AkashiError('unsupported', `${relation} has no primary key`, {
      hint: 'add one: without it, its rows have no order in which to compare them',
    })
  }
  return rows.map(({ name }) => name)
}

/** The columns as a manifest describes them. */
export async function describeColumns(session: Session, source: Source): Promise<ArchivedColumn[]> {
  const { rows } = await session.query<{ name: string; number: number }>(
    `select a.attname as name, a.attnum::integer as number from pg_catalog.pg_attribute a
     where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped`,
    [source.partitionOid],
  )
  const numbers = new Map(rows.map(({ name, number }) => [name, number]))
  return source.columns.map(({ name, type, parquet, number, generated }) => ({
    name,
    type,
    parquet,
    number,
    partitionNumber: numbers.get(name) ?? number,
    generated,
  }))
}

/** What of a source is read: expressions over `r`, and the keys of the order. */
export interface Selection {
  readonly values: readonly string[]
  readonly keys: readonly string[]
}

/** Every column of the source as it is. */
export function wholeSelection(source: Source): Selection {
  const matched = (name: string): MatchedColumn | undefined => {
    const current = source.columns.find((column) => column.name === name)
    if (current === undefined) return undefined
    return { archived: { ...current, partitionNumber: 0 }, current, typeExists: true }
  }
  return {
    values: source.columns.map(({ name, type }) => copyExpression(`r.${identifier(name)}`, type)),
    keys: source.order.flatMap((name) => {
      const column = matched(name)
      return column === undefined ? [] : [orderExpression(column)]
    }),
  }
}

/** By the output of its type: a cast to text could be anybody's. */
function keyText(key: string): string {
  return `format('%s', ${key})`
}

/** The rows of a window, as the part of a statement after SELECT … */
function fromSql(source: Source, { keys }: Selection, window: Window): string {
  const key = `(${keys.join(', ')})`
  const beyond = (operator: string, values: readonly string[]) =>
    `${key} ${operator} (${values.map(literal).join(', ')})`
  const conditions = [
    // A detached table holds nothing else, and must not hide what was put there since.
    ...(source.detached
      ? []
      : [`r.created_at >= ${literal(source.from)}`, `r.created_at < ${literal(source.to)}`]),
    ...(window.after === null ? [] : [beyond('>', window.after)]),
    ...(window.upto === null ? [] : [beyond('<=', window.upto)]),
  ]
  return `from ${source.relation} r where ${conditions.length === 0 ? 'true' : conditions.join(' and ')}`
}

/** The rows of a window in order: the text whose SHA-256 is the fingerprint. */
export function copySql(source: Source, selection: Selection, window: Window): string {
  return `copy (select ${selection.values.join(', ')} ${fromSql(source, selection, window)}
    order by ${selection.keys.join(', ')}) to stdout (format csv, force_quote *)`
}

/** Counts the rows of a window. */
export async function countRows(session: Session, source: Source, window: Window): Promise<number> {
  const { rows } = await session.query<{ count: number }>(
    `select count(*)::float8 as count ${fromSql(source, wholeSelection(source), window)}`,
  )
  return rows[0]?.count ?? 0
}

/** Whether a row of the source meets a condition over `r`. */
export async function hasRow(
  session: Session,
  source: Source,
  window: Window,
  condition = 'true',
): Promise<boolean> {
  const { rows } = await session.query<{ found: boolean }>(
    `select exists (select ${fromSql(source, wholeSelection(source), window)} and (${condition})) as found`,
  )
  return rows[0]?.found === true
}

export interface Boundaries {
  readonly rows: number
  /** Keys of the last row of every part except the last. */
  readonly ends: readonly (readonly string[])[]
}

/** Counts the rows of a window and finds where parts of `size` rows end, in one pass over them. */
export async function boundaries(
  session: Session,
  source: Source,
  window: Window,
  size: number,
): Promise<Boundaries> {
  const selection = wholeSelection(source)
  const { rows } = await session.query<{ rows: number; ends: string[][] }>(
    `select coalesce(max(place), 0)::float8 as rows,
            coalesce(jsonb_agg(key order by place) filter (where place % ${size} = 0), '[]') as ends
     from (select row_number() over (order by ${selection.keys.join(', ')}) as place,
                  array[${selection.keys.map(keyText).join(', ')}] as key ${fromSql(source, selection, window)}) p`,
  )
  const [found = { rows: 0, ends: [] }] = rows
  return { rows: found.rows, ends: found.rows % size === 0 ? found.ends.slice(0, -1) : found.ends }
}

/** Hashes a stream to its end. */
export async function hashStream(stream: Readable, hash: Hash): Promise<void> {
  for await (const chunk of stream) hash.update(chunk as Uint8Array)
}

/** The SHA-256 of the rows of a window as they are now. */
export async function fingerprintRows(
  session: Session,
  source: Source,
  selection: Selection,
  window: Window,
): Promise<string> {
  const hash = createHash('sha256')
  await hashStream(session.copyTo(copySql(source, selection, window)), hash)
  return hash.digest('hex')
}

export interface LedgerState {
  readonly log: string
  readonly size: bigint
  /** (xid, seq) of the last sealed row. */
  readonly frontier: readonly string[]
  readonly checkpoint: string | null
}

/** How far the log of a table is sealed; null without a log. */
export async function readLedger(session: Session, log: LogDefinition | null): Promise<LedgerState | null> {
  if (log === null) return null
  const head = await readHead(session, log.log)
  return {
    log: log.log,
    size: head?.size ?? 0n,
    frontier: [head?.lastXid ?? '0', head?.lastSeq ?? '0'],
    checkpoint: head?.note ?? null,
  }
}
