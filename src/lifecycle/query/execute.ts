/** One query from its text to its result: what it names, where that is, and the engine's run over it. */
import { join } from 'node:path'
import { AkashiError, given } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { readColumns, type TableColumn } from '../archive/columns.ts'
import { LINE_BYTES } from '../archive/limits.ts'
import { matchColumns } from '../archive/matched-columns.ts'
import { identifier } from '../archive/quote.ts'
import { oidOf } from '../archive/source.ts'
import { always, type Span, spansOf } from './bounds.ts'
import type { Cache } from './cache.ts'
import {
  holdPartitions,
  listTables,
  type Placement,
  placementOf,
  type QueryTable,
  type TableName,
} from './catalog.ts'
import { type ColdPart, coldParts, type Manifests } from './cold.ts'
import type { Engine } from './engine.ts'
import { fetchHot, hotRanges, hotSql } from './hot.ts'
import type { Limits } from './protocol.ts'
import type { QueryRequest, QueryResult } from './request.ts'
import { readTree, type Statement } from './tree.ts'
import { plainRow } from './values.ts'
import { type ColdFiles, viewSql } from './views.ts'

interface Source {
  readonly name: QueryTable
  readonly oid: string
  readonly columns: readonly TableColumn[]
  readonly placement: Placement
  readonly span: Span
  readonly hot: { readonly file: string; readonly rows: number; readonly lineBytes: number } | undefined
}

/** The dependencies and limits of a query. */
export interface Job {
  readonly engine: Engine
  readonly limits: Limits
  readonly database: Database
  readonly store: ObjectStore
  readonly manifests: Manifests
  readonly cache: Cache
  readonly scratch: string
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/** Runs a request; the job's signal ends it. */
export async function execute(job: Job, actor: Actor, request: QueryRequest): Promise<QueryResult> {
  const { engine, limits, signal } = job
  const [{ tree }, known] = await Promise.all([
    engine.ask({ kind: 'parse', sql: request.sql, limits }, 'tree'),
    job.database.transaction(actor, listTables, { readOnly: true, signal }),
  ])
  const statement = readTree(tree)
  const isOurs = nameTables(known)
  const named = tablesOf(statement, known, isOurs)
  await request.authorize?.(named)
  const ownDateParts = (name: string) => named.find((table) => nameOf(table) === name)?.ownDateParts ?? []
  const spans = await spansOf(statement, isOurs, ownDateParts, async (expressions) => {
    const { micros } = await engine.ask({ kind: 'times', expressions, limits }, 'times')
    return micros.map((value) => (value === null ? null : BigInt(value)))
  })
  // Committed beside the read of PostgreSQL: no object is opened and nothing returned before it is.
  const [sources] = await Promise.all([
    readSources(job, actor, statement, named, spans),
    recordRead(job, actor, request, named),
  ])
  const cold = new Map<Source, readonly ColdPart[]>()
  for (const source of sources) {
    cold.set(source, await coldParts(job.store, job.manifests, source.placement.exports, source.span, signal))
  }
  const parts = [...cold.values()].flat().map(({ part }) => part)
  const total = parts.reduce((sum, { bytes }) => sum + bytes, 0)
  let fetched = 0
  const files = await job.cache.fetch(parts, {
    signal,
    onBytes: (bytes) => {
      fetched += bytes
      request.onProgress?.({ phase: 'fetch', done: fetched / total })
    },
  })
  const byKey = new Map(parts.map(({ key }, i) => [key, files[i] ?? '']))
  const found = { job, request, sources, cold, byKey }
  return {
    ...(await scan(found)),
    files: parts.map(({ key }) => key),
    hot: sources.reduce((sum, { hot }) => sum + (hot?.rows ?? 0), 0),
  }
}

function nameOf({ schema, table }: TableName): string {
  return `${schema}.${table}`
}

/**
 * Tables of Akashi by the name in a query, regardless of case; without a schema if the name is unambiguous.
 * Undefined for other tables; `invalid_input` for a name that matches two tables that differ only in case.
 */
function nameTables(known: readonly TableName[]): (schema: string, name: string) => string | undefined {
  const names = new Map<string, string[]>()
  for (const each of known) {
    for (const written of [nameOf(each), each.table].map((name) => name.toLowerCase())) {
      names.set(written, [...(names.get(written) ?? []), nameOf(each)])
    }
  }
  return (schema, name) => {
    const found = names.get(schema === '' ? name : `${schema}.${name}`) ?? []
    if (found.length > 1 && new Set(found.map((each) => each.toLowerCase())).size === 1) {
      throw new AkashiError(
        'invalid_input',
        `${found.join(' and ')} differ only in case: a query cannot tell them apart`,
        {
          hint: 'rename one of them',
        },
      )
    }
    return found.length === 1 ? found[0] : undefined
  }
}

function tablesOf(
  statement: Statement,
  known: readonly QueryTable[],
  isOurs: (schema: string, name: string) => string | undefined,
): QueryTable[] {
  const wanted = new Set<string>()
  for (const { schema, name } of statement.tables) {
    const table = isOurs(schema, name)
    if (table !== undefined) wanted.add(table)
    else if (schema !== '' || !statement.local.has(name)) {
      throw new AkashiError(
        'invalid_input',
        `there is no table ${schema === '' ? name : `${schema}.${name}`} to query`,
        { hint: `there are ${known.map(nameOf).join(', ')}` },
      )
    }
  }
  return known.filter((each) => wanted.has(nameOf(each)))
}

const recordSql = `
  select akashi_audit.record_action('data_access', 'query', $1 || '.' || $2, null, 'SUCCESS', $3::jsonb,
    coalesce((select c.classification from akashi_audit.coverage c where (c.schema_name, c.table_name) = ($1, $2)), 'confidential'))`

/** Fails closed: nothing is returned of what cannot be recorded. */
async function recordRead(
  job: Job,
  actor: Actor,
  request: QueryRequest,
  tables: readonly TableName[],
): Promise<void> {
  if (tables.length === 0) return
  await job.database.transaction(
    actor,
    async (session) => {
      for (const { schema, table } of tables) {
        await session.query(recordSql, [
          schema,
          table,
          JSON.stringify({
            sql: request.sql,
            ...given({ reason: request.reason }),
          }),
        ])
      }
    },
    { signal: job.signal },
  )
}

/** Snapshots that are taken until one has the partitions that the server reads rows from. */
const MAX_SNAPSHOTS = 10

/** In one snapshot, so that exported and other rows are consistent in every table. */
async function readSources(
  job: Job,
  actor: Actor,
  statement: Statement,
  tables: readonly QueryTable[],
  spans: ReadonlyMap<string, Span>,
): Promise<Source[]> {
  if (tables.length === 0) return []
  const work = async (session: Session) => {
    for (const name of tables) if (!(await holdPartitions(session, name))) return undefined
    const sources: Source[] = []
    await session.query("select set_config('extra_float_digits', '1', true)")
    for (const name of tables) {
      const relation = `${identifier(name.schema)}.${identifier(name.table)}`
      const span = spans.get(nameOf(name)) ?? always
      const placement = await placementOf(session, name)
      const oid = await oidOf(session, name.schema, name.table)
      const columns = wantedColumns(await readColumns(session, relation), statement)
      const ranges = hotRanges(placement, span)
      const file = join(job.scratch, `${sources.length}.csv`)
      const found =
        ranges.length === 0
          ? { rows: 0, longestLine: 0 }
          : await fetchHot(session, hotSql(name, columns, ranges), file, job.signal)
      const hot = { file, rows: found.rows, lineBytes: Math.max(LINE_BYTES, found.longestLine) }
      sources.push({ name, oid, columns, placement, span, hot: found.rows === 0 ? undefined : hot })
    }
    return sources
  }
  for (let taken = 0; taken < MAX_SNAPSHOTS; taken += 1) {
    const sources = await job.database.transaction(actor, work, {
      isolation: 'repeatable read',
      readOnly: true,
      signal: job.signal,
      timeoutMs: job.timeoutMs,
      retries: 0,
    })
    if (sources !== undefined) return sources
  }
  throw new AkashiError('conflict', 'partitions change too fast for the query', { hint: 'try again' })
}

/** Hot rows are sent with the columns that a query names; the time is one of them, since year, month and day need it. */
function wantedColumns(columns: readonly TableColumn[], { columns: named }: Statement): TableColumn[] {
  return columns.filter(
    ({ name }) => named === undefined || name === 'created_at' || named.has(name.toLowerCase()),
  )
}

interface Found {
  readonly job: Job
  readonly request: QueryRequest
  readonly sources: readonly Source[]
  readonly cold: ReadonlyMap<Source, readonly ColdPart[]>
  readonly byKey: ReadonlyMap<string, string>
}

async function scan({
  job,
  request,
  sources,
  cold,
  byKey,
}: Found): Promise<Pick<QueryResult, 'columns' | 'types' | 'rows' | 'truncated'>> {
  const views = sources.map((source) => {
    return {
      schema: source.name.schema,
      name: source.name.table,
      sql: viewSql(source.columns, byColumns(source, cold.get(source) ?? [], byKey), source.hot),
    }
  })
  const bare = views
    // DuckDB compares names without regard to case, and has bare names in the schema main.
    .filter(({ schema }) => schema.toLowerCase() !== 'main')
    .filter(
      ({ name }) => views.filter((other) => other.name.toLowerCase() === name.toLowerCase()).length === 1,
    )
    .map(({ schema, name }) => ({
      schema: 'main',
      name,
      sql: `from ${identifier(schema)}.${identifier(name)}`,
    }))
  const files = [...byKey.values(), ...sources.flatMap(({ hot }) => (hot === undefined ? [] : [hot.file]))]
  const dataset = { key: JSON.stringify(views), files, views: [...views, ...bare] }
  let columns: readonly string[] = []
  let types: readonly string[] = []
  const rows: (readonly unknown[])[] = []
  const { truncated } = await job.engine.ask(
    { kind: 'run', sql: request.sql, dataset, limits: job.limits },
    'done',
    async (message) => {
      if (message.kind === 'progress') request.onProgress?.({ phase: 'scan', done: message.done })
      if (message.kind === 'columns') {
        columns = message.names
        types = message.types
        await request.sink?.columns(columns, types)
      }
      if (message.kind === 'rows') {
        const plain = message.rows.map((row) => plainRow(row, types))
        if (request.sink === undefined) for (const row of plain) rows.push(row)
        else await request.sink.rows(plain)
      }
    },
  )
  return { columns, types, rows, truncated }
}

/** Files of exports from before and after a change of the table's columns, apart. */
function byColumns(
  { oid, columns: current }: Source,
  parts: readonly ColdPart[],
  byKey: ReadonlyMap<string, string>,
): ColdFiles[] {
  const groups = new Map<string, { columns: ReturnType<typeof matchColumns>; files: string[] }>()
  for (const { part, shape } of parts) {
    const columns = matchColumns(shape, { oid, columns: current })
    const key = JSON.stringify(columns)
    const group = groups.get(key) ?? { columns, files: [] }
    group.files.push(byKey.get(part.key) ?? '')
    groups.set(key, group)
  }
  return [...groups.values()]
}
