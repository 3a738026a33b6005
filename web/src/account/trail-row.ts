const operations = ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] as const

interface Change {
  readonly field: string
  readonly before: string
  readonly after: string
}

/** One row of the audit trail, as the page shows it. */
export interface TrailRow {
  readonly id: string
  readonly createdAt: string
  readonly action: string
  readonly operation: (typeof operations)[number] | null
  readonly schema: string | null
  readonly table: string | null
  readonly ipAddress: string | null
  readonly requestId: string | null
  readonly changes: readonly Change[]
}

type Values = Readonly<Record<string, unknown>>

/** Reads a row of the server, whose columns the contract does not list. */
export function trailRow(row: Values): TrailRow {
  const operation = operations.find((each) => each === row['operation']) ?? null
  const before = valuesOf(row['oldValues'])
  const after = valuesOf(row['newValues'])
  const changed = Array.isArray(row['changedFields'])
    ? row['changedFields'].filter((field) => typeof field === 'string')
    : []
  const fields =
    operation === 'UPDATE' ? changed : [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return {
    id: textOf(row['id']) ?? '',
    createdAt: textOf(row['createdAt']) ?? '',
    action: textOf(row['action']) ?? '',
    operation,
    schema: textOf(row['schema']),
    table: textOf(row['table']),
    ipAddress: textOf(row['ipAddress']),
    requestId: textOf(row['requestId']),
    changes: fields.map((field) => ({ field, before: display(before[field]), after: display(after[field]) })),
  }
}

/** Groups neighbouring rows of the same request, table and operation, such as ten recovery codes. */
export function groupRows(rows: readonly TrailRow[]): readonly (readonly [TrailRow, ...TrailRow[]])[] {
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

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function display(value: unknown): string {
  if (value === undefined || value === null) return '–'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
