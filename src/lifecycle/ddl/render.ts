/** DDL for Athena, and the table for the Glue catalog, of an archived table. Partition projection makes a crawler unnecessary. */
import type { OuterTable } from './shape.ts'

const PARQUET = {
  serde: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe',
  input: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
  output: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
}

/** Of type string, as AWS recommends for partition keys. */
const partitionKeys = ['year', 'month', 'day'] as const

/** Partition projection over the folders `year=YYYY/month=MM/day=DD/`. */
function properties(table: OuterTable): Record<string, string> {
  const template = partitionKeys.map((key) => `${key}=\${${key}}/`).join('')
  return {
    'akashi.data_residency': table.dataResidency,
    'projection.enabled': 'true',
    'projection.year.type': 'integer',
    'projection.year.range': `${table.firstYear},${table.lastYear}`,
    'projection.year.digits': '4',
    'projection.month.type': 'integer',
    'projection.month.range': '1,12',
    'projection.month.digits': '2',
    ...(table.monthly
      ? { 'projection.day.type': 'enum', 'projection.day.values': '01' }
      : { 'projection.day.type': 'integer', 'projection.day.range': '1,31', 'projection.day.digits': '2' }),
    'storage.location.template': `${table.location}${template}`,
  }
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}

/** @param database of the Glue catalog */
export function athenaDdl(table: OuterTable, database: string): string {
  const columns = table.columns.map(({ name, type }) => `  ${quoted(name)} ${type}`)
  const settings = Object.entries(properties(table)).map(
    ([name, value]) => `  ${text(name)} = ${text(value)}`,
  )
  return `CREATE EXTERNAL TABLE ${quoted(database)}.${quoted(table.name)} (
${columns.join(',\n')}
)
PARTITIONED BY (${partitionKeys.map((key) => `${quoted(key)} string`).join(', ')})
STORED AS PARQUET
LOCATION ${text(table.location)}
TBLPROPERTIES (
${settings.join(',\n')}
);
`
}

/** The document for `aws glue create-table --database-name … --table-input`. */
export function glueTable(table: OuterTable): Readonly<Record<string, unknown>> {
  return {
    Name: table.name,
    TableType: 'EXTERNAL_TABLE',
    Parameters: { EXTERNAL: 'TRUE', classification: 'parquet', ...properties(table) },
    PartitionKeys: partitionKeys.map((name) => ({ Name: name, Type: 'string' })),
    StorageDescriptor: {
      Columns: table.columns.map(({ name, type }) => ({ Name: name, Type: type })),
      Location: table.location,
      InputFormat: PARQUET.input,
      OutputFormat: PARQUET.output,
      SerdeInfo: { SerializationLibrary: PARQUET.serde, Parameters: { 'serialization.format': '1' } },
    },
  }
}
