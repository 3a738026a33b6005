/** SQL of the views that queries use: one for each table, over its Parquet files and its hot rows. */
import { type ArchivedColumn, readExpression } from '../archive/columns.ts'
import { csvSql } from '../archive/parts.ts'
import { identifier, literal } from '../archive/quote.ts'
import type { DATE_PARTS } from './catalog.ts'

/** Files whose columns have the same names and types. */
export interface ColdFiles {
  readonly columns: readonly Pick<ArchivedColumn, 'name' | 'parquet'>[]
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
  columns: readonly ArchivedColumn[],
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

function coldSql(columns: readonly ArchivedColumn[], { columns: inFile, files }: ColdFiles): string {
  const list = columns.map(({ name, parquet }) => {
    const found = inFile.find((column) => column.name === name)
    const value = found === undefined ? 'null' : identifier(name)
    return `${found?.parquet === parquet ? value : `${value}::${parquet}`} as ${identifier(name)}`
  })
  return `select ${list.join(', ')} from read_parquet([${files.map((file) => literal(file)).join(', ')}], hive_partitioning = false)`
}

function hotSql(columns: readonly ArchivedColumn[], { file, lineBytes }: HotFile): string {
  const list = columns.map((column, i) => `${readExpression(column, `t${i}`)} as ${identifier(column.name)}`)
  return `select ${list.join(', ')} from ${csvSql(file, columns.length, lineBytes)}`
}
