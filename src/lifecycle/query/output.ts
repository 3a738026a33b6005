/** Results as files: CSV, JSON and Parquet, written as the rows come. */

import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { MAX_QUERY_ROWS } from '@akashi/contract'
import { AkashiError, makeScratchFolder } from '../../foundation/index.ts'
import type { Actor } from '../../postgres/index.ts'
import { openEngine } from '../archive/engine.ts'
import { identifier, literal } from '../archive/quote.ts'
import type { QueryRequest, QueryResult } from './request.ts'
import type { Queries } from './run.ts'

export const queryFormats = ['table', 'json', 'csv', 'parquet'] as const

export type QueryFormat = (typeof queryFormats)[number]

const OWNER_ONLY = 0o600

/** The format that is requested, else the one that a file's name ends with, else a table. */
export function queryFormat(format: string | undefined, file: string | undefined): QueryFormat {
  const name = format ?? /\.(json|csv|parquet)$/i.exec(file ?? '')?.[1]?.toLowerCase()
  if (name === undefined) return file === undefined ? 'table' : 'csv'
  const found = queryFormats.find((each) => each === name)
  if (found !== undefined) return found
  throw new AkashiError('invalid_input', `${name} is not a format`, {
    hint: `one of ${queryFormats.join(', ')}`,
  })
}

/** One line of CSV (RFC 4180), as PostgreSQL's COPY writes it: NULL is an empty field, and empty text a quoted one. */
export function csvLine(values: readonly unknown[]): string {
  return `${values.map(csvField).join(',')}\r\n`
}

function csvField(value: unknown): string {
  if (value === null || value === undefined) return ''
  const text = textOf(value)
  return /^$|[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function textOf(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** What is written, without the rows themselves. */
export interface Written extends Omit<QueryResult, 'rows'> {
  readonly written: number
}

/** Runs a query into a file, however many rows it has. The file is there only when all of it is. */
export async function writeResult(
  queries: Queries,
  actor: Actor,
  request: Omit<QueryRequest, 'sink'>,
  { format, file }: { readonly format: QueryFormat; readonly file: string },
): Promise<Written> {
  const scratch = await makeScratchFolder('query-out')
  const target = format === 'parquet' ? join(scratch, 'rows.json') : file
  const stream = createWriteStream(target, { mode: OWNER_ONLY })
  try {
    await once(stream, 'open')
    const writer = writers[format](stream)
    let written = 0
    const result = await queries.run(actor, {
      rows: MAX_QUERY_ROWS,
      ...request,
      sink: {
        columns: (names) => writer.begin(names),
        rows: async (rows) => {
          written += rows.length
          await writer.rows(rows)
        },
      },
    })
    await writer.end()
    stream.end()
    await finished(stream)
    if (format === 'parquet') await toParquet(target, file, scratch, result)
    const { rows: _, ...rest } = result
    return { ...rest, written }
  } catch (error) {
    stream.destroy()
    await rm(file, { force: true })
    throw error
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

interface Writer {
  begin(names: readonly string[]): Promise<void>
  rows(rows: readonly (readonly unknown[])[]): Promise<void>
  end(): Promise<void>
}

async function put(stream: WriteStream, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain')
}

function csvWriter(stream: WriteStream): Writer {
  return {
    begin: (names) => put(stream, csvLine(names)),
    rows: (rows) => put(stream, rows.map(csvLine).join('')),
    end: async () => undefined,
  }
}

/** One document: `{"columns": […], "rows": […]}`, one row per line. */
function jsonWriter(stream: WriteStream): Writer {
  let first = true
  return {
    begin: (names) => put(stream, `{"columns":${JSON.stringify(names)},"rows":[`),
    rows: async (rows) => {
      await put(stream, `${first ? '' : ','}\n${rows.map((row) => JSON.stringify(row)).join(',\n')}`)
      first = false
    },
    end: () => put(stream, '\n]}\n'),
  }
}

/** Rows as JSON objects with columns by number, an intermediate format for Parquet. */
function linesWriter(stream: WriteStream): Writer {
  return {
    begin: async () => undefined,
    rows: (rows) =>
      put(
        stream,
        rows
          .map((row) => `${JSON.stringify(Object.fromEntries(row.map((value, i) => [`c${i}`, value])))}\n`)
          .join(''),
      ),
    end: async () => undefined,
  }
}

const writers: Readonly<Record<QueryFormat, (stream: WriteStream) => Writer>> = {
  table: csvWriter,
  csv: csvWriter,
  json: jsonWriter,
  parquet: linesWriter,
}

const kept =
  /^(BOOLEAN|U?(TINY|SMALL|BIG)INT|U?INTEGER|DOUBLE|FLOAT|DECIMAL\(\d+,\s?\d+\)|DATE|TIME|TIMESTAMP(_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE|VARCHAR|UUID)((\[\])*)$/

/** DuckDB's type in the file: integers beyond 64 bits as decimals, unsupported types as text. */
function parquetType(type: string): { readonly type: string; readonly lists: string } {
  if (/^U?HUGEINT$/.test(type)) return { type: 'DECIMAL(38,0)', lists: '' }
  if (type === 'BLOB') return { type, lists: '' }
  const match = kept.exec(type)
  return match === null ? { type: 'VARCHAR', lists: '' } : { type, lists: match[5] ?? '' }
}

async function toParquet(lines: string, file: string, scratch: string, result: QueryResult): Promise<void> {
  const engine = openEngine(join(scratch, 'engine'))
  try {
    const types = result.types.map(parquetType)
    const read = types.map(({ lists }, i) => `c${i}: 'VARCHAR${lists}'`)
    const names = distinct(result.columns)
    const list = types.map(({ type }, i) => {
      const value = type === 'BLOB' ? `from_hex(substr(c${i}, 3))` : `c${i}::${type}`
      return `${value} as ${identifier(names[i] ?? `c${i}`)}`
    })
    await engine.run(
      `copy (select ${list.join(', ')} from read_json(${literal(lines)}, format = 'newline_delimited', columns = {${read.join(', ')}}))
       to ${literal(file)} (format parquet, compression zstd)`,
    )
  } finally {
    engine.close()
  }
}

/** Makes column names unique, ignoring case. */
function distinct(names: readonly string[]): string[] {
  const seen = new Set<string>()
  return names.map((name) => {
    let own = name
    for (let i = 1; seen.has(own.toLowerCase()); i += 1) own = `${name}_${i}`
    seen.add(own.toLowerCase())
    return own
  })
}
