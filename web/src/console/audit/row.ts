import type { ConsoleTexts } from '../locales/index.ts'

type Values = Readonly<Record<string, unknown>>

/** A row of the trail, whose columns are not in the contract. */
export interface Row {
  readonly id: string
  readonly createdAt: string
  readonly userId: string | null
  readonly subject: string | null
  readonly ipAddress: string | null
  readonly userAgent: string | null
  readonly contextVerified: boolean
  readonly signedBy: string | null
  readonly dbUser: string
  readonly applicationName: string | null
  readonly eventType: string
  readonly action: string
  readonly resource: string | null
  readonly resourceId: string | null
  readonly result: string
  readonly errorMessage: string | null
  readonly schema: string | null
  readonly table: string | null
  readonly operation: string | null
  readonly recordId: string | null
  readonly dataSubject: string | null
  readonly oldValues: Values | null
  readonly newValues: Values | null
  readonly changedFields: readonly string[] | null
  readonly detail: unknown
  readonly apiEndpoint: string | null
  readonly requestId: string | null
  readonly sessionId: string | null
  readonly classification: string
}

/** The server writes each row by one function, whose names these are. */
export function rowOf(row: Values): Row {
  return row as unknown as Row
}

export function tableOf({ schema, table }: Pick<Row, 'schema' | 'table'>): string {
  return [schema, table].filter((part) => part !== null).join('.')
}

/** Who acted: a person's id, what acted on its own behalf, or the login of the database. */
export function actorOf({ userId, subject, dbUser }: Row): string {
  return userId ?? subject ?? dbUser
}

const verbs = { INSERT: 'insert', UPDATE: 'update', DELETE: 'delete', TRUNCATE: 'truncate' } as const

function isVerb(operation: string | null): operation is keyof typeof verbs {
  return operation !== null && Object.hasOwn(verbs, operation)
}

/** What happened, in one line. */
export function sentenceOf(t: ConsoleTexts, row: Row): string {
  const { operation, eventType, action, resource } = row
  if (isVerb(operation)) return t(`audit.did.${verbs[operation]}`, { table: tableOf(row) })
  const what = resource ?? tableOf(row)
  return what === '' ? `${eventType} (${action})` : `${eventType} (${action}): ${what}`
}

export function recordPath({ schema, table, recordId }: Row): string | null {
  if (schema === null || table === null || recordId === null) return null
  return `/console/audit/records/${[schema, table, recordId].map(encodeURIComponent).join('/')}`
}

export interface Change {
  readonly field: string
  readonly before: unknown
  readonly after: unknown
  readonly changed: boolean
}

/** Each field before and after; with a whole row on one side only, all of it changed. */
export function changesOf({ operation, oldValues, newValues, changedFields }: Row): readonly Change[] {
  const names = new Set([...Object.keys(oldValues ?? {}), ...Object.keys(newValues ?? {})])
  return [...names].sort().map((field) => {
    const changed = operation !== 'UPDATE' || (changedFields?.includes(field) ?? false)
    const after = newValues?.[field]
    // An update keeps the earlier values of what changed only.
    const before = operation === 'UPDATE' && !changed ? after : oldValues?.[field]
    return { field, before, after, changed }
  })
}

export function shown(value: unknown): string {
  if (value === undefined || value === null) return '–'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
