const operations = ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] as const
export type Operation = (typeof operations)[number]

export type Values = Readonly<Record<string, unknown>>

/** One row of the audit trail, as the page shows it. */
export interface TrailRow {
  readonly id: string
  readonly createdAt: string
  readonly action: string
  readonly operation: Operation | null
  readonly schema: string | null
  readonly table: string | null
  readonly resource: string | null
  readonly dataSubject: string | null
  readonly ipAddress: string | null
  readonly userAgent: string | null
  readonly requestId: string | null
  readonly before: Values
  readonly after: Values
  /** Names of columns: of an update those that changed, otherwise all. */
  readonly fields: readonly string[]
}

/** Columns that change with every update. */
const BOOKKEEPING = new Set(['updated_at', 'last_modified_by'])

/** Reads a row of the server, whose columns the contract does not list. */
export function trailRow(row: Values): TrailRow {
  const operation = operations.find((each) => each === row['operation']) ?? null
  const before = valuesOf(row['oldValues'])
  const after = valuesOf(row['newValues'])
  const changed = Array.isArray(row['changedFields'])
    ? row['changedFields'].filter(
        (field): field is string => typeof field === 'string' && !BOOKKEEPING.has(field),
      )
    : []
  return {
    id: textOf(row['id']) ?? '',
    createdAt: textOf(row['createdAt']) ?? '',
    action: textOf(row['action']) ?? '',
    operation,
    schema: textOf(row['schema']),
    table: textOf(row['table']),
    resource: textOf(row['resource']),
    dataSubject: textOf(row['dataSubject']),
    ipAddress: textOf(row['ipAddress']),
    userAgent: textOf(row['userAgent']),
    requestId: textOf(row['requestId']),
    before,
    after,
    fields: operation === 'UPDATE' ? changed : [...new Set([...Object.keys(before), ...Object.keys(after)])],
  }
}

export type RowGroup = readonly [TrailRow, ...TrailRow[]]

/** Groups neighbouring rows of the same request, table and operation, such as ten recovery codes. */
export function groupRows(rows: readonly TrailRow[]): readonly RowGroup[] {
  const groups: [TrailRow, ...TrailRow[]][] = []
  for (const row of rows) {
    const last = groups.at(-1)
    if (last !== undefined && belongTogether(last[0], row)) last.push(row)
    else groups.push([row])
  }
  return groups
}

function belongTogether(one: TrailRow, other: TrailRow): boolean {
  return (
    one.requestId !== null &&
    one.requestId === other.requestId &&
    one.schema === other.schema &&
    one.table === other.table &&
    one.operation === other.operation &&
    one.action === other.action
  )
}

function valuesOf(value: unknown): Values {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
