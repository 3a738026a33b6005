/** Reads partitions from PostgreSQL: their rows, in order, and their fingerprint. */
import { createHash, type Hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { type LogDefinition, logs, readHead } from '../../audit/index.ts'
import { AkashiError } from '../../foundation/index.ts'
import type { Session } from '../../postgres/index.ts'
import { type ArchivedColumn, copyExpression, readColumns } from './columns.ts'
import { identifier, literal } from './quote.ts'

/** A partition, attached or detached to the schema akashi_archive. */
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
  readonly columns: readonly ArchivedColumn[]
  readonly order: readonly string[]
  readonly log: LogDefinition | null
}

/** The log that covers a table. */
export function logOf(schema: string, table: string): LogDefinition | null {
  return logs.find((log) => log.schema === schema && log.table === table) ?? null
}

/** Reads the metadata of a partition. Refuses if row-level security could hide rows from this login. */
export async function openSource(session: Session, target: Target, detached: boolean): Promise<Source> {
  const relation = detached
    ? `akashi_archive.${identifier(target.partition)}`
    : `${identifier(target.schema)}.${identifier(target.table)}`
  await session.query(
    'select akashi_audit.assert_unfiltered(akashi_lifecycle.own_table($1, $2))',
    detached ? ['akashi_archive', target.partition] : [target.schema, target.table],
  )
  const log = logOf(target.schema, target.table)
  const order = log === null ? await keyColumns(session, relation) : ['xid', 'seq']
  return { ...target, relation, detached, columns: await readColumns(session, relation), order, log }
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
      hint: 'add one: without it, the rows have no order in which to compare them',
    })
  }
  return rows.map(({ name }) => name)
}

/** By the type's output function, since anybody can define a cast to text. */
function keyText(column: string): string {
  return `format('%s', ${column})`
}

function row(keys: readonly string[]): string {
  return `(${keys.join(', ')})`
}

/** The rows of a window: a statement from FROM on. */
export function fromSql(source: Source, window: Window): string {
  const key = row(source.order.map((name) => `r.${identifier(name)}`))
  const conditions = [
    // No condition for a detached table: it has only these rows, and rows added since must be seen.
    ...(source.detached
      ? []
      : [`r.created_at >= ${literal(source.from)}`, `r.created_at < ${literal(source.to)}`]),
    ...(window.after === null ? [] : [`${key} > ${row(window.after.map(literal))}`]),
    ...(window.upto === null ? [] : [`${key} <= ${row(window.upto.map(literal))}`]),
  ]
  return `from ${source.relation} r where ${conditions.length === 0 ? 'true' : conditions.join(' and ')}`
}

function orderSql(source: Source): string {
  return `order by ${source.order.map((name) => `r.${identifier(name)}`).join(', ')}`
}

/** The rows of a window in order: the text whose SHA-256 is the fingerprint. */
export function copySql(source: Source, window: Window): string {
  const list = source.columns.map((column) => copyExpression(column)).join(', ')
  return `copy (select ${list} ${fromSql(source, window)} ${orderSql(source)}) to stdout (format csv, force_quote *)`
}

export async function countRows(session: Session, source: Source, window: Window): Promise<number> {
  const { rows } = await session.query<{ count: number }>(
    `select count(*)::float8 as count ${fromSql(source, window)}`,
  )
  return rows[0]?.count ?? 0
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
  const list = source.order.map((name) => `r.${identifier(name)}`)
  const { rows } = await session.query<{ rows: number; ends: string[][] }>(
    `select coalesce(max(place), 0)::float8 as rows,
            coalesce(jsonb_agg(key order by place) filter (where place % ${size} = 0), '[]') as ends
     from (select row_number() over (${orderSql(source)}) as place, array[${list.map(keyText).join(', ')}] as key
           ${fromSql(source, window)}) p`,
  )
  const [found = { rows: 0, ends: [] }] = rows
  return { rows: found.rows, ends: found.rows % size === 0 ? found.ends.slice(0, -1) : found.ends }
}

/** The key of a window's row by its number, from 1; undefined when there are fewer rows. */
export async function keyAt(
  session: Session,
  source: Source,
  window: Window,
  place: number,
): Promise<string[] | undefined> {
  const list = source.order.map((name) => keyText(`r.${identifier(name)}`)).join(', ')
  const { rows } = await session.query<{ key: string[] }>(
    `select array[${list}] as key ${fromSql(source, window)} ${orderSql(source)} offset ${place - 1} limit 1`,
  )
  return rows[0]?.key
}

/** Hashes a stream to its end. */
export async function hashStream(stream: Readable, hash: Hash): Promise<void> {
  for await (const chunk of stream) hash.update(chunk as Uint8Array)
}

/** The fingerprint of the rows of a window. */
export async function fingerprintRows(session: Session, source: Source, window: Window): Promise<string> {
  const hash = createHash('sha256')
  await hashStream(session.copyTo(copySql(source, window)), hash)
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
