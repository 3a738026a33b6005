/**
 * Search in the trail: newest first, a page at a time. It runs with the rights of the database it is given,
 * so row-level security decides what is found: an application's user finds their own rows only. What was found is
 * recorded.
 */
import { rowColumns, type StoredRow, type TrailRow, toTrailRow } from '@akashi/client/trail'
import type { z } from 'zod'
import {
  containing,
  escapedAsJson,
  pageAfter,
  parseQuery,
  type Scanned,
  toPage,
} from '../../foundation/index.ts'
import type { Actor, Database, Person, Session } from '../../postgres/index.ts'
import { recordAccess } from './access.ts'
import {
  type OwnTrailFilter,
  ownTrailFilter,
  type TrailFilter,
  type trailConditions,
  trailFilter,
} from './filter.ts'

/**
 * Rows that one page looks into for `text`. A page that ends there may hold fewer rows than its limit, even
 * none, and still have a `next`.
 */
export const TEXT_SCAN_ROWS = 20_000

export interface TrailPage {
  readonly rows: readonly TrailRow[]
  /** Cursor of the page after this one; null when this is the last. */
  readonly next: string | null
}

type Parsed = z.output<typeof trailFilter>
type Conditions = z.output<typeof trailConditions>

const equalities: readonly (readonly [key: keyof Conditions, column: string])[] = [
  ['recordId', 'record_id'],
  ['schema', 'schema_name'],
  ['table', 'table_name'],
  ['userId', 'user_id'],
  ['sessionId', 'session_id'],
  ['resource', 'resource'],
  ['resourceId', 'resource_id'],
  ['requestId', 'request_id'],
  ['traceId', 'trace_id'],
  ['correlationId', 'correlation_id'],
  ['action', 'action'],
  ['operation', 'operation'],
  ['eventType', 'event_type'],
  ['result', 'result'],
  ['tenantId', 'tenant_id'],
  ['classification', 'data_classification'],
  ['dataSubject', 'data_subject'],
]

/**
 * One page of rows that fit every field of the filter. `text` is looked for, without regard to case, in the
 * JSON text of old values, new values and detail, names of columns included.
 *
 * @throws AkashiError invalid_input naming every mistake of the filter, or for a cursor that was not given
 */
export async function searchTrail(database: Database, actor: Actor, filter: TrailFilter): Promise<TrailPage> {
  const parsed = parseQuery(trailFilter, filter)
  return await database.transaction(actor, async (session) => {
    const page = await find(session, parsed)
    const { limit: _, ...criteria } = parsed
    await recordAccess(session, 'akashi_audit.audit_logs', criteria, page.rows)
    return page
  })
}

/** As {@link searchTrail}, but only what the user did themselves, which they may read without a record of it. */
export async function searchOwnTrail(
  database: Database,
  actor: Person,
  filter: OwnTrailFilter,
): Promise<TrailPage> {
  const parsed = { ...parseQuery(ownTrailFilter, filter), userId: actor.userId }
  return await database.transaction(actor, (session) => find(session, parsed), { readOnly: true })
}

/** Schemas whose rows name users of Akashi as the person that they are about. */
const OWN_SCHEMAS = ['akashi_auth', 'akashi_chat']
/** Columns of a row about a person that say what others did, and nothing of those who did it. */
const TOLD_COLUMNS = new Set(['room_id', 'role', 'role_id', 'status', 'account_status', 'is_active'])
/** Columns whose changes the person is not told of: a legal hold may be kept from whom it concerns. */
const UNTOLD_COLUMNS = new Set(['legal_hold', 'updated_at', 'last_modified_by'])

/**
 * One page of what others did about a person: which row and which of its columns, but not who did it, from where, or
 * with which values. Not recorded, as {@link searchOwnTrail}.
 *
 * @param database of the role `security_admin`, since row-level security shows people only their own actions
 */
export async function searchTrailAboutOneself(
  database: Database,
  actor: Person,
  filter: OwnTrailFilter,
): Promise<TrailPage> {
  const parsed = { ...parseQuery(ownTrailFilter, filter), dataSubject: actor.userId }
  const page = await database.transaction(
    actor,
    (session) =>
      find(session, parsed, (parameter) => [
        `r.schema_name = any (${parameter(OWN_SCHEMAS)}::text[])`,
        `(r.user_id is null or r.user_id <> ${parameter(actor.userId)})`,
        `(r.operation is distinct from 'UPDATE' or not r.changed_fields <@ ${parameter([...UNTOLD_COLUMNS])}::text[])`,
      ]),
    { readOnly: true },
  )
  return { ...page, rows: page.rows.map(toldRow) }
}

function toldRow(row: TrailRow): TrailRow {
  const told = (values: TrailRow['newValues']) =>
    values === null
      ? null
      : Object.fromEntries(Object.entries(values).filter(([column]) => TOLD_COLUMNS.has(column)))
  return {
    ...row,
    userId: null,
    sessionId: null,
    ipAddress: null,
    userAgent: null,
    dbUser: '',
    dbSystemUser: null,
    dbAddress: null,
    applicationName: null,
    oldValues: told(row.oldValues),
    newValues: told(row.newValues),
    changedFields: row.changedFields?.filter((field) => !UNTOLD_COLUMNS.has(field)) ?? null,
    detail: null,
    apiEndpoint: null,
    requestId: null,
    traceId: null,
    correlationId: null,
    complianceContext: null,
  }
}

/** More that rows `r` must fulfil. */
type MoreConditions = (parameter: (value: unknown) => string) => readonly string[]

async function find(session: Session, parsed: Parsed, more?: MoreConditions): Promise<TrailPage> {
  const { text, values } = searchSql(parsed, more)
  const { rows } = await session.query<Found>(text, values)
  const page = toPage(parsed.limit, rows)
  return { rows: page.rows.map((row) => toTrailRow(row)), next: page.next }
}

type Found = StoredRow & Scanned

function searchSql(
  filter: Parsed,
  more: MoreConditions = () => [],
): { readonly text: string; readonly values: readonly unknown[] } {
  const values: unknown[] = []
  const parameter = (value: unknown) => `$${values.push(value)}`
  const conditions = [...conditionsOf(filter, parameter), ...more(parameter)]
  if (filter.cursor !== undefined) {
    const [at, id] = pageAfter(filter.cursor).map(parameter)
    // A comparison of rows prunes no partition; the first condition does.
    conditions.push(
      `r.created_at <= ${at}::timestamptz and (r.created_at, r.id) < (${at}::timestamptz, ${id}::uuid)`,
    )
  }
  const scanned = filter.text === undefined ? filter.limit + 1 : TEXT_SCAN_ROWS
  const limit = parameter(filter.limit + 1)
  const scan = parameter(scanned)
  const matches =
    filter.text === undefined ? 'true' : textMatches(parameter(containing(escapedAsJson(filter.text))))
  return {
    text: `
      with scanned as materialized (
        select r.* from akashi_audit.audit_logs r
        ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`}
        order by r.created_at desc, r.id desc limit ${scan}
      ), matched as (
        select s.* from scanned s where ${matches} order by s.created_at desc, s.id desc limit ${limit}
      ), behind as (
        select created_at, id from scanned
        where (select count(*) from scanned) = ${scan} order by created_at, id limit 1
      )
      select m.id is not null as found, b.created_at as "lastAt", b.id as "lastId", ${rowColumns('m')}
      from (values (1)) as one left join behind b on true left join matched m on true
      order by m.created_at desc, m.id desc`,
    values,
  }
}

/** What rows `r` of the trail must fulfil. */
export function conditionsOf(filter: Conditions, parameter: (value: unknown) => string): string[] {
  const conditions: string[] = []
  for (const [key, column] of equalities) {
    const value = filter[key]
    if (value !== undefined) conditions.push(`r.${column} = ${parameter(value)}`)
  }
  if (filter.address !== undefined) conditions.push(`r.ip_address <<= ${parameter(filter.address)}::inet`)
  if (filter.from !== undefined) conditions.push(`r.created_at >= ${parameter(filter.from)}::timestamptz`)
  if (filter.to !== undefined) conditions.push(`r.created_at < ${parameter(filter.to)}::timestamptz`)
  return conditions
}

function textMatches(pattern: string): string {
  return ['old_values', 'new_values', 'detail']
    .map((column) => `s.${column}::text ilike ${pattern}`)
    .join(' or ')
}
