/**
 * The engine process: DuckDB in a sandbox. Before it sees a statement, it is restricted to the files of the dataset,
 * without extensions, network and settings. The process cannot write files (its parent sets the limit), and it
 * runs only a single SELECT.
 */
import {
  DuckDBBlobValue,
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBValueConverter,
  type Json,
  JsonDuckDBValueConverter,
  StatementType,
} from '@duckdb/node-api'
import { BATCH_ROWS, PROGRESS_MS } from './limits.ts'
import type { Dataset, EngineErrorKind, Limits, Request, Response } from './protocol.ts'

const PERCENT = 100

interface Opened {
  readonly key: string
  readonly instance: DuckDBInstance
  readonly connection: DuckDBConnection
}

/** One instance without tables for parsing, and one for the last dataset. */
const opened: { syntax?: Opened | undefined; data?: Opened | undefined } = {}

const empty: Dataset = { key: '', files: [], views: [] }

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Reuses the instance of the same dataset, which keeps the file footers in memory; no statement can change it. */
async function open(place: keyof typeof opened, dataset: Dataset, limits: Limits): Promise<DuckDBConnection> {
  const key = JSON.stringify([dataset.key, limits.memory, limits.threads])
  if (opened[place]?.key === key) return opened[place].connection
  close(place)
  const { instance, connection } = await bare(limits)
  opened[place] = { key, instance, connection }
  for (const schema of new Set(dataset.views.map((view) => view.schema))) {
    await connection.run(`create schema if not exists ${identifier(schema)}`)
  }
  for (const view of dataset.views) {
    await connection.run(`create view ${identifier(view.schema)}.${identifier(view.name)} as ${view.sql}`)
  }
  await connection.run(`set allowed_paths = [${dataset.files.map(quote).join(', ')}]`)
  await connection.run('set enable_external_access = false')
  await connection.run('set lock_configuration = true')
  return connection
}

/** Made while the engine is idle, since making one takes longer than many queries. */
let spare: Promise<Opened> | undefined

async function bare(limits: Limits): Promise<Opened> {
  const key = JSON.stringify([limits.memory, limits.threads])
  const ready = await spare?.catch(() => undefined)
  spare = undefined
  if (ready?.key === key) return ready
  ready?.connection.closeSync()
  ready?.instance.closeSync()
  return await create(key, limits)
}

function prepareSpare(limits: Limits): void {
  spare ??= create(JSON.stringify([limits.memory, limits.threads]), limits)
  spare.catch(() => undefined)
}

async function create(key: string, limits: Limits): Promise<Opened> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(limits.threads),
    memory_limit: limits.memory,
    temp_directory: '',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    allow_unsigned_extensions: 'false',
  })
  const connection = await instance.connect()
  await connection.run(
    "set timezone = 'UTC'; set enable_progress_bar = true; set enable_progress_bar_print = false",
  )
  return { key, instance, connection }
}

function close(place: keyof typeof opened): void {
  opened[place]?.connection.closeSync()
  opened[place]?.instance.closeSync()
  opened[place] = undefined
}

async function parse(sql: string, limits: Limits): Promise<void> {
  const connection = await open('syntax', empty, limits)
  const reader = await connection.runAndReadAll(`select json_serialize_sql(${quote(sql)})::varchar`)
  await send({ kind: 'tree', tree: String(reader.getRowsJson()[0]?.[0]) })
}

async function times(expressions: readonly unknown[], limits: Limits): Promise<void> {
  const connection = await open('syntax', empty, limits)
  plain ??= String(
    (await connection.runAndReadAll("select json_serialize_sql('select 1')::varchar")).getRowsJson()[0]?.[0],
  )
  const together = await timesOf(connection, expressions)
  const micros: (string | null)[] = together ?? []
  if (together === undefined) {
    for (const each of expressions) micros.push((await timesOf(connection, [each]))?.[0] ?? null)
  }
  await send({ kind: 'times', micros })
}

/** undefined if one of the expressions has no such value; the query itself then reports the error. */
async function timesOf(
  connection: DuckDBConnection,
  expressions: readonly unknown[],
): Promise<(string | null)[] | undefined> {
  try {
    const texts = `select ${expressions.map((each) => `json_deserialize_sql(${quote(treeOf(each))}::json)::varchar`).join(', ')}`
    const [inner = []] = (await connection.runAndReadAll(texts)).getRowsJson()
    const values = inner.map(
      (text) =>
        `(select case when isfinite(v) then epoch_us(v)::varchar end from (select (${String(text).replace(/;\s*$/, '')})::timestamptz as v))`,
    )
    const [row = []] = (await connection.runAndReadAll(`select ${values.join(', ')}`)).getRowsJson()
    return row.map((micros) => (typeof micros === 'string' ? micros : null))
  } catch {
    return undefined
  }
}

let plain: string | undefined

/** The syntax tree of a statement that selects the expression. */
function treeOf(expression: unknown): string {
  const tree = JSON.parse(plain ?? '') as { statements: { node: { select_list: unknown[] } }[] }
  for (const statement of tree.statements) statement.node.select_list = [expression]
  return JSON.stringify(tree, placeless)
}

/** Removes text positions: 64-bit numbers that JSON.parse would round, and that are not needed. */
function placeless(key: string, value: unknown): unknown {
  return key === 'query_location' ? 0 : value
}

async function run(sql: string, dataset: Dataset, limits: Limits): Promise<void> {
  let connection: DuckDBConnection
  try {
    connection = await open('data', dataset, limits)
  } catch (error) {
    throw new Refusal('internal', error instanceof Error ? error.message : String(error))
  }
  const statements = await connection.extractStatements(sql)
  if (statements.count !== 1) throw new Refusal('refused', 'only one statement is allowed')
  const prepared = await statements.prepare(0)
  if (prepared.statementType !== StatementType.SELECT) throw new Refusal('refused', 'only SELECT is allowed')
  const watching = setInterval(() => {
    const { percentage } = connection.progress
    if (percentage > 0) void send({ kind: 'progress', done: Math.min(1, percentage / PERCENT) })
  }, PROGRESS_MS)
  try {
    const result = await prepared.stream()
    await send({
      kind: 'columns',
      names: result.columnNames(),
      types: result.columnTypes().map((type) => type.toString()),
    })
    let rows = 0
    let bytes = 0
    for await (const chunk of result.yieldConvertedRows(toJson)) {
      for (let at = 0; at < chunk.length; at += BATCH_ROWS) {
        const room = limits.rows - rows
        const batch = chunk.slice(at, Math.min(at + BATCH_ROWS, at + room))
        bytes += JSON.stringify(batch).length
        if (bytes > limits.bytes) throw new Refusal('bytes', `more than ${limits.bytes} bytes`)
        rows += batch.length
        if (batch.length > 0) await send({ kind: 'rows', rows: batch })
        if (room < Math.min(BATCH_ROWS, chunk.length - at)) {
          await send({ kind: 'done', truncated: true })
          return
        }
      }
    }
    await send({ kind: 'done', truncated: false })
  } finally {
    clearInterval(watching)
  }
}

/** Writes bytes like PostgreSQL; DuckDB's own text does not escape backslashes. */
const toJson: DuckDBValueConverter<Json> = (value, type, converter) =>
  value instanceof DuckDBBlobValue
    ? `\\x${Buffer.from(value.bytes).toString('hex')}`
    : JsonDuckDBValueConverter(value, type, converter)

class Refusal extends Error {
  readonly kind: EngineErrorKind

  constructor(kind: EngineErrorKind, message: string) {
    super(message)
    this.kind = kind
  }
}

function kindOf(error: unknown): EngineErrorKind {
  if (error instanceof Refusal) return error.kind
  const message = error instanceof Error ? error.message : ''
  if (/^out of memory/i.test(message)) return 'memory'
  if (/^permission/i.test(message)) return 'refused'
  if (/^(internal|fatal|io) error/i.test(message)) return 'internal'
  return 'input'
}

/** Resolves when the message is on its way, so that rows do not pile up here. */
function send(response: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    if (process.send === undefined) return reject(new Error('nobody listens'))
    process.send(response, undefined, {}, (error) => (error === null ? resolve() : reject(error)))
  })
}

async function handle(request: Request): Promise<void> {
  try {
    if (request.kind === 'parse') await parse(request.sql, request.limits)
    else if (request.kind === 'times') await times(request.expressions, request.limits)
    else {
      await run(request.sql, request.dataset, request.limits)
      prepareSpare(request.limits)
    }
  } catch (error) {
    if (request.kind === 'run' && !(error instanceof Refusal)) close('data')
    const message = error instanceof Error ? error.message : String(error)
    await send({ kind: 'error', error: kindOf(error), message })
  }
}

process.on('message', (request: Request) => {
  handle(request).catch(() => process.exit(1))
})
process.on('disconnect', () => process.exit(0))
await send({ kind: 'ready' })
