/** Types of Hive, which Athena and Glue share. */
import { AkashiError } from '../../foundation/index.ts'

export interface OuterColumn {
  readonly name: string
  readonly type: string
}

const scalar: Readonly<Record<string, string>> = {
  BOOLEAN: 'boolean',
  SMALLINT: 'smallint',
  INTEGER: 'int',
  BIGINT: 'bigint',
  VARCHAR: 'string',
  BLOB: 'binary',
  DATE: 'date',
  TIMESTAMP: 'timestamp',
  TIMESTAMPTZ: 'timestamp',
  'VARCHAR[]': 'array<string>',
}

/** The Hive type of a DuckDB type in the Parquet file. */
export function hiveType(parquet: string): string {
  const decimal = /^DECIMAL\((\d+),\s?(\d+)\)$/.exec(parquet)
  const found = decimal === null ? scalar[parquet] : `decimal(${decimal[1]},${decimal[2]})`
  if (found !== undefined) return found
  throw new AkashiError('unsupported', `Athena does not support the type ${parquet}`)
}
