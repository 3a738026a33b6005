/** SQL of the views that a query reads: one for each table, over its Parquet files and its hot rows. */
import { readExpression, type TableColumn, writeExpression } from '../archive/columns.ts'
import type { MatchedColumn } from '../archive/matched-columns.ts'
import { csvSql } from '../archive/parts.ts'
import { identifier, literal } from '../archive/quote.ts'
import type { DATE_PARTS } from './catalog.ts'

/** Files with the same columns. */
export interface ColdFiles {
  readonly columns: readonly MatchedColumn[]
  readonly files: readonly string[]
}

export interface HotFile {
  readonly file: string
  readonly lineBytes: number
}

/**
 * Every column of the table as the database has it now: files from before a column was added have NULL there.
 * Unless the table has columns of these names, `year`, `month` and `day` are those of created_at in UTC, as text,
 * like the folders of the archive.
 */
export function viewSql(
  columns: readonly TableColumn[],
  cold: readonly ColdFiles[],
  hot: HotFile | undefined,
): string {
  const sources = cold.filter(({ files }) => files.length > 0).map((each) => coldSql(columns, each))
  if (hot !== undefined) sources.push(hotSql(columns, hot))
  if (sources.length === 0) {
    const list = columns.map(({ name, parquet }) => `null::${parquet} as ${identifier(name)}`)
    sources.push(`select ${list.join(', ')} where false`)
  }
  const own = new Set(columns.map(({ name }) => name.toLowerCase()))
  const parts = Object.entries(datePartFormats).filter(([name]) => !own.has(name))
  const derived = parts.map(([name, format]) => `strftime(created_at, '${format}') as ${name}`)
  return `select ${['*', ...derived].join(', ')} from (${sources.join('\n    union all ')})`
}

const datePartFormats: Readonly<Record<(typeof DATE_PARTS)[number], string>> = {
  year: '%Y',
  month: '%m',
  day: '%d',
}

/** What was archived under another name or type is converted as PostgreSQL converts it, by way of its text. */
function coldSql(columns: readonly TableColumn[], { columns: inFile, files }: ColdFiles): string {
  const list = columns.map((column) => {
    const found = inFile.find(({ current }) => current?.name === column.name)?.archived
    return `${found === undefined ? `null::${column.parquet}` : convert(found, column)} as ${identifier(column.name)}`
  })
  return `select ${list.join(', ')} from read_parquet([${files.map((file) => literal(file)).join(', ')}], hive_partitioning = false)`
}

type FileColumn = Pick<TableColumn, 'name' | 'type' | 'parquet'>

function convert(archived: FileColumn, current: FileColumn): string {
  if (archived.type === current.type) return identifier(archived.name)
  // COPY writes f and t, a cast to text false and true.
  const text =
    archived.type === 'boolean' ? `${identifier(archived.name)}::VARCHAR` : writeExpression(archived)
  if (current.parquet === 'VARCHAR') return text
  return archived.parquet === 'VARCHAR' || current.type === 'boolean' || current.type === 'text[]'
    ? readExpression(current, text)
    : `${identifier(archived.name)}::${current.parquet}`
}

function hotSql(columns: readonly TableColumn[], { file, lineBytes }: HotFile): string {
  const list = columns.map((column, i) => `${readExpression(column, `t${i}`)} as ${identifier(column.name)}`)
  return `select ${list.join(', ')} from ${csvSql(file, columns.length, lineBytes)}`
}
