/** One part of an export: CSV → Parquet, and Parquet → the same CSV, byte for byte. */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { AkashiError, errno } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import { POSITION_COLUMN, readExpression, type TableColumn, writeExpression } from './columns.ts'
import { ENTRIES_DIFFER, type Engine, type Row } from './engine.ts'
import { BUFFER_LINES, LINE_BYTES, MAX_LINE_BYTES, ROW_GROUP_ROWS, ZSTD_LEVEL } from './limits.ts'
import type { ManifestPart } from './manifest.ts'
import { identifier, literal } from './quote.ts'
import { hashStream } from './source.ts'

const READ_BYTES = 1024 * 1024
const WRITE_BYTES = 1024 * 1024

/**
 * Writes a stream to a file and hashes it, in large chunks to keep the number of writes low. What cannot be written is
 * read to its end nevertheless: a COPY that is left in the middle takes its connection with it, and with that the run.
 */
export async function writeHashed(stream: Readable, path: string, hash: Hash): Promise<void> {
  const file = await open(path, 'w')
  const gathered = Buffer.allocUnsafe(WRITE_BYTES)
  let filled = 0
  let failed: unknown
  const flush = async () => {
    const bytes = gathered.subarray(0, filled)
    filled = 0
    if (failed !== undefined) return
    hash.update(bytes)
    await file.writeFile(bytes).catch((error: unknown) => {
      failed = error
    })
  }
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; ) {
        const copied = chunk.copy(gathered, filled, at)
        filled += copied
        at += copied
        if (filled === WRITE_BYTES) await flush()
      }
    }
    await flush()
    if (failed !== undefined) throw failed
  } catch (error) {
    throw fileError(error)
  } finally {
    await file.close()
  }
}

function fileError(error: unknown): unknown {
  const code = errno(error)
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
  return new AkashiError('unavailable', 'the disk for temporary files is full', {
    hint: 'free space, or point TMPDIR at a larger disk',
    cause: error,
  })
}

export async function hashFile(file: string, hash: Hash): Promise<void> {
  await hashStream(createReadStream(file, { highWaterMark: READ_BYTES }), hash)
}

type FileColumn = Pick<TableColumn, 'name' | 'type' | 'parquet'>

/** Every value as the text that PostgreSQL gave, in columns t0, t1, …: names of CSV columns are DuckDB's own matter. */
export function csvSql(file: string, count: number, lineBytes: number): string {
  const columns = Array.from({ length: count }, (_, i) => `'t${i}': 'VARCHAR'`).join(', ')
  return `read_csv(${literal(file)}, auto_detect = false, header = false, delim = ',', quote = '"', escape = '"',
    nullstr = '', allow_quoted_nulls = false, new_line = '\\n', strict_mode = true, parallel = false,
    max_line_size = ${lineBytes}, buffer_size = ${BUFFER_LINES * lineBytes}, columns = {${columns}})`
}

/**
 * Writes the Parquet file of a part.
 *
 * @param positions CSV of position and row id, in the order of the rows; null for a table without a log
 */
export async function writeParquet(
  engine: Engine,
  columns: readonly FileColumn[],
  files: PartFiles,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await engine.run(parquetSql(columns, files, LINE_BYTES), signal)
  } catch (error) {
    const longest = await longestLine(files.rows)
    if (longest <= LINE_BYTES) throw error
    if (longest > MAX_LINE_BYTES) throw tooLong(longest)
    await engine.run(parquetSql(columns, files, longest), signal)
  }
}

const LINE_FEED = 0x0a
const QUOTE = 0x22

/** Bytes of the longest row of a CSV in which every value is quoted. */
async function longestLine(file: string): Promise<number> {
  let [longest, length] = [0, 0]
  let quoted = false
  for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>) {
    for (const byte of chunk) {
      length += 1
      if (byte === QUOTE) quoted = !quoted
      else if (byte === LINE_FEED && !quoted) {
        longest = Math.max(longest, length)
        length = 0
      }
    }
  }
  return Math.max(longest, length)
}

function tooLong(bytes: number): AkashiError {
  return new AkashiError('too_large', `a row has ${bytes} bytes as text, more than ${MAX_LINE_BYTES}`, {
    hint: 'store its largest value elsewhere and keep a reference to it',
  })
}

interface PartFiles {
  readonly rows: string
  readonly positions: string | null
  readonly parquet: string
}

function parquetSql(columns: readonly FileColumn[], files: PartFiles, lineBytes: number): string {
  const list = columns.map(
    (column, i) => `${readExpression(column, `r.t${i}`)} as ${identifier(column.name)}`,
  )
  let from = `${csvSql(files.rows, columns.length, lineBytes)} r`
  if (files.positions !== null) {
    const id = columns.findIndex(({ name }) => name === 'id')
    from += ` positional join ${csvSql(files.positions, 2, LINE_BYTES).replaceAll("'t", "'p")} p`
    // Both are in the ledger's order, so the lines must match one by one.
    list.unshift(
      `case when p.p1 = r.t${id} then p.p0::BIGINT else error(${literal(ENTRIES_DIFFER)}) end as ${identifier(POSITION_COLUMN)}`,
    )
  }
  return `copy (select ${list.join(', ')} from ${from}) to ${literal(files.parquet)}
    (format parquet, parquet_version v2, compression zstd, compression_level ${ZSTD_LEVEL}, row_group_size ${ROW_GROUP_ROWS})`
}

/** Downloads an object to a file. @throws integrity when the content differs from what was stored */
export async function fetchObject(
  store: ObjectStore,
  { key, bytes, sha256 }: Pick<ManifestPart, 'key' | 'bytes' | 'sha256'>,
  file: string,
  signal?: AbortSignal,
): Promise<void> {
  const hash = createHash('sha256')
  await writeHashed(await store.get(key, signal === undefined ? {} : { signal }), file, hash)
  const { size } = await stat(file)
  if (size !== bytes || hash.digest('hex') !== sha256) {
    throw new AkashiError('integrity', `the content of ${key} differs from what was stored`, {
      detail: { key },
    })
  }
}

export interface ReadBack {
  readonly rows: number
  readonly firstPosition: string | null
  readonly lastPosition: string | null
  readonly columns: ManifestPart['columns']
}

/**
 * Reads a Parquet file whole: adds the rows' CSV to the fingerprint and returns what the file holds.
 *
 * @param scratch a temporary file, removed afterwards
 */
export async function readParquet(
  engine: Engine,
  columns: readonly FileColumn[],
  parquet: string,
  scratch: string,
  hash: Hash,
  signal?: AbortSignal,
): Promise<ReadBack> {
  await renderCsv(engine, columns, `read_parquet(${literal(parquet)})`, scratch, signal)
  await hashFile(scratch, hash)
  await rm(scratch, { force: true })
  return await describeParquet(engine, columns, parquet, signal)
}

/** Writes the rows of a Parquet file as PostgreSQL's CSV. */
export async function renderCsv(
  engine: Engine,
  columns: readonly FileColumn[],
  source: string,
  file: string,
  signal?: AbortSignal,
): Promise<void> {
  const list = columns.map((column, i) => `${writeExpression(column)} as t${i}`).join(', ')
  await engine.run(
    `copy (select ${list} from ${source}) to ${literal(file)} (format csv, header false, force_quote *, nullstr '')`,
    signal,
  )
}

/** Maximum characters of a minimum or maximum in a manifest. */
const SHOWN_CHARACTERS = 64

/** Counts and ranges of a file's values. */
export async function describeParquet(
  engine: Engine,
  columns: readonly FileColumn[],
  parquet: string,
  signal?: AbortSignal,
): Promise<ReadBack> {
  const source = `read_parquet(${literal(parquet)})`
  const ordered = columns.map(({ parquet }) =>
    /^(BIGINT|INTEGER|SMALLINT|TIMESTAMP|DATE|DECIMAL)/.test(parquet),
  )
  const list = columns.flatMap(({ name }, i) => {
    const column = identifier(name)
    const range =
      ordered[i] === true ? [`min(${column})::VARCHAR as l${i}`, `max(${column})::VARCHAR as h${i}`] : []
    return [`count(${column}) as c${i}`, ...range]
  })
  const described = await engine.run(`describe select * from ${source}`, signal)
  const positioned = described.some((row) => row['column_name'] === POSITION_COLUMN)
  const position = positioned ? [`min(${POSITION_COLUMN}) as first`, `max(${POSITION_COLUMN}) as last`] : []
  const [row] = await engine.run(
    `select count(*) as rows, ${[...list, ...position].join(', ')} from ${source}`,
    signal,
  )
  const found: Row = row ?? {}
  const rows = Number(found['rows'])
  return {
    rows,
    firstPosition: shown(found['first']),
    lastPosition: shown(found['last']),
    columns: Object.fromEntries(
      columns.map(({ name }, i) => [
        name,
        { nulls: rows - Number(found[`c${i}`]), min: shown(found[`l${i}`]), max: shown(found[`h${i}`]) },
      ]),
    ),
  }
}

function shown(value: Row[string] | undefined): string | null {
  return value === null || value === undefined ? null : String(value).slice(0, SHOWN_CHARACTERS)
}
