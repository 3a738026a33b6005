/** SQL over everything that is kept: closed partitions from Parquet, open ones from PostgreSQL, one name each. */
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { type ArchivedColumn, readColumns } from '../archive/columns.ts'
import { LINE_BYTES, LONG_LINE_BYTES } from '../archive/limits.ts'
import { identifier } from '../archive/quote.ts'
import { always, type Span, spansOf } from './bounds.ts'
import { type Cache, cacheFolder, openCache } from './cache.ts'
import { listTables, type Placement, placementOf, type TableName } from './catalog.ts'
import { type ColdPart, coldParts, type Manifests } from './cold.ts'
import { type Engine, LONG_LINE, openEngines } from './engine.ts'
import { fetchHot, hotRanges, hotSql } from './hot.ts'
import {
  DEFAULT_ROWS,
  DEFAULT_TIMEOUT_MS,
  ENGINE_MEMORY,
  ENGINE_THREADS,
  MAX_ANSWER_BYTES,
  MAX_ROWS,
  MAX_SQL_CHARACTERS,
  MAX_TIMEOUT_MS,
} from './limits.ts'
import type { Limits } from './protocol.ts'
import { readTree, type Statement } from './tree.ts'
import { plainRow } from './values.ts'
import { type ColdFiles, viewSql } from './views.ts'

export interface QueryProgress {
  readonly phase: 'fetch' | 'scan'
  /** Share that is done, 0 to 1. */
  readonly done: number
}

export interface QueryRequest {
  readonly sql: string
  /** Rows of the answer at most; default {@link DEFAULT_ROWS}. */
  readonly rows?: number
  /** Milliseconds for all of it; default {@link DEFAULT_TIMEOUT_MS}. */
  readonly timeoutMs?: number
  /** DuckDB's memory, such as `2GB`; default {@link ENGINE_MEMORY}. */
  readonly memory?: string
  /** Why it is asked: kept in the trail. */
  readonly reason?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: QueryProgress) => void
  /** Takes the rows as they come, in place of an answer that holds them; the engine waits for it. */
  readonly sink?: {
    columns(names: readonly string[], types: readonly string[]): void | Promise<void>
    rows(rows: readonly (readonly unknown[])[]): void | Promise<void>
  }
}

export interface QueryAnswer {
  readonly columns: readonly string[]
  /** DuckDB's types. */
  readonly types: readonly string[]
  /** Values by column. Whole numbers that JSON cannot hold, decimals and times are text. */
  readonly rows: readonly (readonly unknown[])[]
  /** Keys of the archived objects that were read. */
  readonly files: readonly string[]
  /** Rows that came from PostgreSQL. */
  readonly hot: number
  /** Whether there are more rows than were asked for. */
  readonly truncated: boolean
}

export interface Queries {
  /**
   * Runs one SELECT; every table that it names is recorded as read by the actor, before it is.
   *
   * `invalid_input` for what is no query, `forbidden` for what is more than a SELECT, `too_large` and `timeout`
   * for its limits, `conflict` with `detail.frozen` where objects have to be thawed first.
   */
  run(actor: Actor, request: QueryRequest): Promise<QueryAnswer>
  /** Asks for frozen objects, as an error's `detail.frozen` names them, to become readable; answers those that are not yet. */
  thaw(objects: readonly string[]): Promise<readonly string[]>
  /** Ends the engines; what runs is refused. */
  close(): void
}

export interface QueriesOptions {
  /** Of a role that may read all of every table, such as `security_admin`. */
  readonly database: Database
  readonly store: ObjectStore
  /** Where fetched objects are kept; default a folder of this account among the temporary files. */
  readonly folder?: string
}

interface Source {
  readonly name: TableName
  readonly columns: readonly ArchivedColumn[]
  readonly placement: Placement
  readonly span: Span
  readonly hot: { readonly file: string; readonly rows: number } | undefined
}

export function openQueries({ database, store, folder }: QueriesOptions): Queries {
  const engines = openEngines()
  const manifests: Manifests = new Map()
  let cache: Promise<Cache> | undefined
  const opened = () => {
    cache ??= cacheFolder(folder).then((path) => openCache(path, store))
    return cache
  }
  return {
    run: async (actor, request) => {
      checkRequest(request)
      const timeoutMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS
      const signals = [
        AbortSignal.timeout(timeoutMs),
        ...(request.signal === undefined ? [] : [request.signal]),
      ]
      const signal = AbortSignal.any(signals)
      const scratch = await mkdtemp(join(tmpdir(), 'akashi-query-hot-'))
      const engine = await engines.borrow()
      const stop = () => engine.kill(stopError(request.signal, timeoutMs))
      signal.addEventListener('abort', stop, { once: true })
      try {
        signal.throwIfAborted()
        const limits: Limits = {
          memory: request.memory ?? ENGINE_MEMORY,
          threads: Math.min(ENGINE_THREADS, availableParallelism()),
          rows: request.rows ?? DEFAULT_ROWS,
          bytes: request.sink === undefined ? MAX_ANSWER_BYTES : Number.MAX_SAFE_INTEGER,
        }
        const job: Job = {
          engine,
          limits,
          database,
          store,
          manifests,
          cache: await opened(),
          scratch,
          signal,
          timeoutMs,
        }
        return await answer(job, actor, request)
      } catch (error) {
        if (signal.aborted) throw stopError(request.signal, timeoutMs)
        throw error
      } finally {
        signal.removeEventListener('abort', stop)
        engines.giveBack(engine)
        await rm(scratch, { recursive: true, force: true })
      }
    },
    thaw: async (objects) => {
      if (!canThaw(store)) return []
      const waiting: string[] = []
      for (const key of objects) if ((await store.thaw(key)) === 'thawing') waiting.push(key)
      return waiting
    },
    close: () => engines.close(),
  }
}

/** What a store has whose objects freeze. */
interface Thawing {
  thaw(key: string): Promise<'readable' | 'thawing'>
}

function canThaw(store: ObjectStore): store is ObjectStore & Thawing {
  return 'thaw' in store && typeof store.thaw === 'function'
}

function checkRequest({ sql, rows, timeoutMs, memory }: QueryRequest): void {
  const wrong = (what: string, hint: string) => new AkashiError('invalid_input', what, { hint })
  if (sql.trim() === '') throw wrong('the query is empty', 'give one SELECT')
  if (sql.length > MAX_SQL_CHARACTERS)
    throw wrong('the query is too long', `${MAX_SQL_CHARACTERS} characters at most`)
  if (rows !== undefined && !(Number.isInteger(rows) && rows > 0 && rows <= MAX_ROWS)) {
    throw wrong(`${rows} is no number of rows`, `from 1 to ${MAX_ROWS}`)
  }
  if (
    timeoutMs !== undefined &&
    !(Number.isInteger(timeoutMs) && timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)
  ) {
    throw wrong('the time limit cannot be met', `from 1 to ${MAX_TIMEOUT_MS} ms`)
  }
  if (memory !== undefined && !/^[1-9]\d{0,5}(MB|GB)$/.test(memory))
    throw wrong(`${memory} is no size`, 'such as 2GB')
}

function stopError(signal: AbortSignal | undefined, timeoutMs: number): AkashiError {
  if (signal?.aborted === true) return new AkashiError('cancelled', 'the query was cancelled')
  return new AkashiError('timeout', `the query took longer than ${timeoutMs} ms`, {
    hint: 'narrow it by created_at, or allow it more time',
  })
}

interface Job {
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

async function answer(job: Job, actor: Actor, request: QueryRequest): Promise<QueryAnswer> {
  const { engine, limits, signal } = job
  const { tree } = await engine.ask({ kind: 'parse', sql: request.sql, limits }, 'tree')
  const statement = readTree(tree)
  const known = await job.database.transaction(actor, listTables, { readOnly: true, signal })
  const isOurs = nameTables(known)
  const named = tablesOf(statement, known, isOurs)
  const spans = await spansOf(statement, isOurs, async (expressions) => {
    const { micros } = await engine.ask({ kind: 'times', expressions, limits }, 'times')
    return micros.map((value) => (value === null ? null : BigInt(value)))
  })
  await recordRead(job, actor, request, named)
  const sources = await readSources(job, actor, statement, named, spans)
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
  const result = await scan(found, LINE_BYTES).catch((error: unknown) => {
    if (error instanceof AkashiError && error.message === LONG_LINE) return scan(found, LONG_LINE_BYTES)
    throw error
  })
  return {
    ...result,
    files: parts.map(({ key }) => key),
    hot: sources.reduce((sum, { hot }) => sum + (hot?.rows ?? 0), 0),
  }
}

/** Names of ours by how a query writes them; a bare name where no other schema has it. */
function nameTables(known: readonly TableName[]): (schema: string, name: string) => string | undefined {
  const names = new Map<string, string>()
  for (const { schema, table } of known) {
    names.set(`${schema}.${table}`, `${schema}.${table}`)
    const others = known.filter((other) => other.table === table)
    if (others.length === 1) names.set(table, `${schema}.${table}`)
  }
  return (schema, name) => names.get(schema === '' ? name : `${schema}.${name}`)
}

function tablesOf(
  statement: Statement,
  known: readonly TableName[],
  isOurs: (schema: string, name: string) => string | undefined,
): TableName[] {
  const wanted = new Set<string>()
  for (const { schema, name } of statement.tables) {
    const table = isOurs(schema, name)
    if (table !== undefined) wanted.add(table)
    else if (schema !== '' || !statement.local.has(name)) {
      throw new AkashiError(
        'invalid_input',
        `there is no table ${schema === '' ? name : `${schema}.${name}`} to query`,
        {
          hint: `there are ${known.map((each) => `${each.schema}.${each.table}`).join(', ')}`,
        },
      )
    }
  }
  return known.filter(({ schema, table }) => wanted.has(`${schema}.${table}`))
}

const classificationSql = `
  select coalesce((select p.classification from audit.protected_tables p
                   where (p.schema_name, p.table_name) = ($1, $2)), 'confidential') as classification`

/** Fails closed: what cannot be recorded is not read. */
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
        const { rows } = await session.query<{ classification: string }>(classificationSql, [schema, table])
        await session.query(
          "select audit.record_action('data_access', 'query', $1, null, 'SUCCESS', $2::jsonb, $3)",
          [
            `${schema}.${table}`,
            JSON.stringify({
              sql: request.sql,
              ...(request.reason === undefined ? {} : { reason: request.reason }),
            }),
            rows[0]?.classification ?? 'confidential',
          ],
        )
      }
    },
    { signal: job.signal },
  )
}

/** In one transaction, so that what is exported and what is not are of the same moment. */
async function readSources(
  job: Job,
  actor: Actor,
  statement: Statement,
  tables: readonly TableName[],
  spans: ReadonlyMap<string, Span>,
): Promise<Source[]> {
  if (tables.length === 0) return []
  const work = async (session: Session) => {
    const sources: Source[] = []
    await session.query("select set_config('extra_float_digits', '1', true)")
    for (const name of tables) {
      const relation = `${identifier(name.schema)}.${identifier(name.table)}`
      const span = spans.get(`${name.schema}.${name.table}`) ?? always
      const placement = await placementOf(session, name)
      const columns = wantedColumns(await readColumns(session, relation), statement)
      const ranges = hotRanges(placement, span)
      const file = join(job.scratch, `${sources.length}.csv`)
      const rows =
        ranges.length === 0 ? 0 : await fetchHot(session, hotSql(name, columns, ranges), file, job.signal)
      sources.push({ name, columns, placement, span, hot: rows === 0 ? undefined : { file, rows } })
    }
    return sources
  }
  return await job.database.transaction(actor, work, {
    readOnly: true,
    signal: job.signal,
    timeoutMs: job.timeoutMs,
    retries: 0,
  })
}

/** Hot rows are sent with the columns that a query names; the time is one of them, since year, month and day need it. */
function wantedColumns(columns: readonly ArchivedColumn[], { columns: named }: Statement): ArchivedColumn[] {
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

async function scan(
  { job, request, sources, cold, byKey }: Found,
  lineBytes: number,
): Promise<Pick<QueryAnswer, 'columns' | 'types' | 'rows' | 'truncated'>> {
  const views = sources.map((source) => {
    const hot = source.hot === undefined ? undefined : { file: source.hot.file, lineBytes }
    return {
      schema: source.name.schema,
      name: source.name.table,
      sql: viewSql(source.columns, byColumns(cold.get(source) ?? [], byKey), hot),
    }
  })
  const bare = views
    .filter(({ name }) => views.filter((other) => other.name === name).length === 1)
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
function byColumns(parts: readonly ColdPart[], byKey: ReadonlyMap<string, string>): ColdFiles[] {
  const groups = new Map<string, { columns: ColdPart['columns']; files: string[] }>()
  for (const { part, columns } of parts) {
    const key = JSON.stringify(columns.map(({ name, parquet }) => [name, parquet]))
    const group = groups.get(key) ?? { columns, files: [] }
    group.files.push(byKey.get(part.key) ?? '')
    groups.set(key, group)
  }
  return [...groups.values()]
}
