const operations = ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] as const

interface Change {
  readonly field: string
  readonly before: string
  readonly after: string
}

/** What the page shows of one row of the trail. */
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

/** Reads a row as the server gives it: a record whose columns the contract does not name. */
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
    changes: fields.map((field) => ({ field, before: shown(before[field]), after: shown(after[field]) })),
  }
}

/** Rows beside each other that one request wrote to one table in one way, such as ten recovery codes. */
export function together(rows: readonly TrailRow[]): readonly (readonly [TrailRow, ...TrailRow[]])[] {
  const groups: [TrailRow, ...TrailRow[]][] = []
  for (const row of rows) {
    const last = groups.at(-1)
    if (last !== undefined && isAlike(last[0], row)) last.push(row)
    else groups.push([row])
  }
  return groups
}

function isAlike(one: TrailRow, other: TrailRow): boolean {
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

function shown(value: unknown): string {
  if (value === undefined || value === null) return '–'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
