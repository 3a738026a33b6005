/**
 * The trail as applications read and write it: rows, versions of a record, what is recorded. Types alone, so that the
 * client has them without a schema.
 */
import type { Classification } from './classification.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** Column values by name; a number that JavaScript cannot hold exactly is the string of its digits. */
export type Values = Readonly<Record<string, Json>>

/**
 * One row of the trail, safe for JSON as it is. Times are ISO 8601 in UTC with microseconds
 * (`2026-11-21T04:05:06.123456Z`); `seq` and `xid` are decimals as strings. The salt is left out: it is
 * part of a proof only.
 */
export interface TrailRow {
  readonly id: string
  readonly createdAt: string
  readonly seq: string
  readonly xid: string
  /** As the application that signed names them: any text. The users of Akashi have uuids. */
  readonly userId: string | null
  readonly sessionId: string | null
  /** The identity provider's subject. */
  readonly subject: string | null
  readonly ipAddress: string | null
  readonly userAgent: string | null
  /** False: userId to tenantId are what the connection claimed, unsigned. */
  readonly contextVerified: boolean
  /** The application whose key signed the context; null unless contextVerified. */
  readonly signedBy: string | null
  /** Who the server says it was. */
  readonly dbUser: string
  /** How the connection authenticated and as whom, such as `scram-sha-256:postgres`; null before PostgreSQL 16. */
  readonly dbSystemUser: string | null
  readonly dbAddress: string | null
  readonly applicationName: string | null
  readonly eventType: string
  readonly action: string
  readonly resource: string | null
  readonly resourceId: string | null
  readonly result: string
  readonly errorCode: string | null
  readonly errorMessage: string | null
  readonly schema: string | null
  readonly table: string | null
  readonly operation: 'INSERT' | 'UPDATE' | 'DELETE' | 'TRUNCATE' | null
  /** How many triggers the change was made inside of; null for none. */
  readonly triggerDepth: number | null
  /** The primary key as text; a JSON array where it has several columns; `sha256:` and hex where it is long. */
  readonly recordId: string | null
  readonly dataSubject: string | null
  /** UPDATE: the changed columns as they were. DELETE: the whole row. */
  readonly oldValues: Values | null
  /** INSERT, UPDATE: the whole row as it became. */
  readonly newValues: Values | null
  readonly changedFields: readonly string[] | null
  readonly detail: Json
  readonly apiEndpoint: string | null
  readonly requestId: string | null
  readonly traceId: string | null
  readonly correlationId: string | null
  readonly applicationVersion: string | null
  readonly tenantId: string | null
  readonly classification: string
  readonly complianceContext: Json
}

/**
 * One field that changed. `old` is absent where there was no value (INSERT), `new` where there is none any
 * more (DELETE); both are where the trail omits the column.
 */
export interface FieldChange {
  readonly field: string
  readonly old?: Json
  readonly new?: Json
}

/** A row of the trail about the record, or a TRUNCATE that may have removed it. */
export interface RecordVersion extends TrailRow {
  /** UPDATE: the changed fields. INSERT, DELETE: every field. TRUNCATE: none. In the order of their names. */
  readonly changes: readonly FieldChange[]
}

/** One record of a table. */
export interface RecordKey {
  /** `schema.table`; without a schema it is in `public`. */
  readonly table: string
  /** The primary key as text; of several columns, a JSON array of their values. */
  readonly id: string | number | bigint
}

/** A page of what was read. */
export interface TrailPage<T> {
  readonly rows: readonly T[]
  /** Where the next page begins; null after the last. */
  readonly next: string | null
}

/** A record as it was at a moment. */
export interface RecordState {
  /** unknown: the trail has nothing about the record at or before the moment. */
  readonly state: 'present' | 'absent' | 'unknown'
  /** The row as the trail keeps it; null unless present. */
  readonly values: Values | null
  /** The row of the trail that shows this. */
  readonly version: TrailRow | null
}

/** Conditions of a search; a row must match all of them. */
export interface TrailSearch {
  readonly table?: string
  readonly recordId?: string
  readonly userId?: string
  readonly requestId?: string
  readonly traceId?: string
  readonly eventType?: string
  readonly resource?: string
  readonly resourceId?: string
  readonly dataSubject?: string
  /** At or after. */
  readonly from?: Date
  /** Before. */
  readonly to?: Date
}

/** An action that changes no row, as `recordAction()` takes it. */
export interface ActionToRecord {
  /** What kind of action, in snake_case: `report_exported`. */
  readonly eventType: string
  /** The verb, up to 100 characters: `export`. */
  readonly action: string
  readonly resource?: string
  readonly resourceId?: string
  /** `SUCCESS` by default. */
  readonly result?: string
  readonly detail?: unknown
  readonly classification?: Classification
  /** The person that it is about. */
  readonly dataSubject?: string
  readonly errorCode?: string
  readonly errorMessage?: string
}

/** A reading of confidential data, as `recordAccess()` takes it. */
export interface AccessToRecord {
  /** What was read: `shop.orders`. */
  readonly resource: string
  /** The records that were returned. */
  readonly ids: readonly (string | number | bigint)[]
  readonly reason?: string
  readonly classification?: Classification
  /** The query. */
  readonly asked?: unknown
}

/** A security event, as `recordEvent()` takes it. */
export interface EventToRecord {
  /** In snake_case, up to 50 characters: `payment_refused`. */
  readonly type: string
  readonly category:
    | 'authentication'
    | 'authorization'
    | 'data_access'
    | 'configuration'
    | 'network'
    | 'system'
    | 'integrity'
  readonly severity: 'info' | 'low' | 'medium' | 'high' | 'critical'
  /** The service that it happened in: `shop`. */
  readonly service: string
  readonly description?: string
  readonly result?: 'success' | 'failure'
  readonly resourceType?: string
  readonly resourceId?: string
  readonly action?: string
  /** As entered, even if nobody has the name. */
  readonly userName?: string
  readonly details?: Readonly<Record<string, unknown>>
}
