/** Findings and decisions about them. Reading is recorded in the trail, in the reader's transaction. */
import { createHash } from 'node:crypto'
import { type FindingState, type Severity, severities } from '@akashi/contract'
import { z } from 'zod'
import { AkashiError, decodeCursor, encodeCursor, exactTime, parseQuery } from '../foundation/index.ts'
import type { Actor, Database, Session } from '../postgres/index.ts'
import { schemaOf } from './history.ts'
import type { SourceTable } from './rule/ast.ts'

/** Maximum findings in a list. */
export const LISTED_FINDINGS = 1_000

export const openStates: readonly FindingState[] = ['open', 'in_progress']

export interface FindingRow {
  readonly id: string
  readonly rule: string
  readonly ruleId: string
  readonly title: string
  readonly severity: Severity
  readonly status: FindingState
  readonly log: SourceTable
  readonly subject: Readonly<Record<string, string | null>>
  readonly entity: string
  readonly count: number
  readonly firstAt: string
  readonly lastAt: string
  readonly assignee: string | null
  readonly notes: string | null
  readonly dueAt: string
  readonly closedAt: string | null
  readonly createdAt: string
  readonly updatedAt: string
  readonly lastModifiedBy: string | null
  readonly events: readonly string[]
}

const columns = `f.id, f.rule_name as rule, f.rule_id as "ruleId", f.title, f.severity, f.status, f.log, f.subject, f.entity,
  f.event_count::float8 as count, f.first_at as "firstAt", f.last_at as "lastAt", f.assignee, f.notes, f.due_at as "dueAt",
  f.closed_at as "closedAt", f.created_at as "createdAt", f.updated_at as "updatedAt", f.last_modified_by as "lastModifiedBy",
  to_json(f.events) as events`

export interface FindingFilter {
  readonly status?: FindingState
  /** Open or in progress, or not. */
  readonly active?: boolean
  readonly severity?: Severity
  /** This one and higher ones. */
  readonly minSeverity?: Severity
  /** Name or id. */
  readonly rule?: string
  readonly entity?: string
  readonly assignee?: string
  /** Active and late. */
  readonly overdue?: boolean
  /** Findings that end at or after this time. */
  readonly from?: Date
  /** Findings that begin before this time. */
  readonly to?: Date
  readonly cursor?: string
  /** Default {@link LISTED_FINDINGS}. */
  readonly limit?: number
}

export interface Page<Row> {
  readonly rows: readonly Row[]
  /** Cursor of the next page; null on the last page. */
  readonly next: string | null
}

const findingPlace = z.tuple([exactTime, z.guid()])
const casePlace = z.tuple([exactTime, z.hex().length(32)])
/** Entities may be longer than a cursor. */
const md5 = (text: string) => createHash('md5').update(text).digest('hex')

/** The newest findings. */
export async function listFindings(
  database: Database,
  actor: Actor,
  { cursor, limit = LISTED_FINDINGS, ...filter }: FindingFilter = {},
): Promise<Page<FindingRow>> {
  const values: unknown[] = []
  const bind = (value: unknown) => `$${values.push(value)}`
  const conditions = conditionsOf(filter, bind)
  if (cursor !== undefined) {
    const [at, id] = decodeCursor(cursor, findingPlace)
    conditions.push(`(f.first_at, f.id) < (${bind(at)}::timestamptz, ${bind(id)}::uuid)`)
  }
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<FindingRow>(
      `select ${columns} from akashi_security.detection_findings f
       ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`}
       order by f.first_at desc, f.id desc limit ${bind(limit + 1)}`,
      values,
    )
    const page = cut(rows, limit, ({ firstAt, id }) => [firstAt, id])
    await recordRead(session, filter, page.rows)
    return page
  })
}

function conditionsOf(
  filter: Omit<FindingFilter, 'cursor' | 'limit'>,
  bind: (value: unknown) => string,
): string[] {
  const { status, active, severity, minSeverity, rule, entity, assignee, overdue, from, to } = filter
  const isOpen = () => `f.status = any(${bind(openStates)}::text[])`
  return [
    ...(status === undefined ? [] : [`f.status = ${bind(status)}`]),
    ...(active === undefined ? [] : [active ? isOpen() : `not ${isOpen()}`]),
    ...(severity === undefined ? [] : [`f.severity = ${bind(severity)}`]),
    ...(minSeverity === undefined
      ? []
      : [`f.severity = any(${bind(severities.slice(severities.indexOf(minSeverity)))}::text[])`]),
    ...(rule === undefined ? [] : [`(f.rule_id = ${bind(rule)} or f.rule_name = ${bind(rule)})`]),
    ...(entity === undefined ? [] : [`f.entity = ${bind(entity)}`]),
    ...(assignee === undefined ? [] : [`f.assignee = ${bind(assignee)}::uuid`]),
    ...(overdue === undefined ? [] : [`(${isOpen()} and f.due_at < now()) = ${bind(overdue)}::boolean`]),
    ...(from === undefined ? [] : [`f.last_at >= ${bind(from)}::timestamptz`]),
    ...(to === undefined ? [] : [`f.first_at < ${bind(to)}::timestamptz`]),
  ]
}

function cut<Row>(rows: readonly Row[], limit: number, placeOf: (row: Row) => readonly string[]): Page<Row> {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return { rows: shown, next: rows.length > limit && last !== undefined ? encodeCursor(placeOf(last)) : null }
}

async function recordRead(
  session: Session,
  asked: object,
  rows: readonly { readonly id: string }[],
): Promise<void> {
  await session.query(
    `select akashi_audit.record_action('data_access', 'read', 'akashi_security.detection_findings', null, 'SUCCESS', $1::jsonb, 'confidential')`,
    [JSON.stringify({ asked, findings: rows.map(({ id }) => id) })],
  )
}

export interface FindingDetail extends FindingRow {
  readonly ruleHash: string
  /** Its events that are in PostgreSQL, oldest first: the columns of their table that are not null. */
  readonly evidence: readonly Readonly<Record<string, unknown>>[]
  /** Ids of those that are not. */
  readonly archived: readonly string[]
  readonly responses: readonly { readonly at: string; readonly action: string; readonly outcome: string }[]
}

const uuid = z.guid('is not a UUID')

/** @throws AkashiError not_found for an unknown finding */
export async function readFinding(
  database: Database,
  actor: Actor,
  findingId: string,
): Promise<FindingDetail> {
  const id = parseQuery(uuid, findingId)
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<FindingRow & { readonly ruleHash: string }>(
      `select ${columns}, encode(f.rule_hash, 'hex') as "ruleHash" from akashi_security.detection_findings f where f.id = $1`,
      [id],
    )
    const [row] = rows
    if (row === undefined) throw new AkashiError('not_found', `no finding ${id}`)
    const evidence = await session.query<{
      event: Readonly<Record<string, unknown>> & { readonly id: string }
    }>(
      `select jsonb_strip_nulls(to_jsonb(r)) as event from ${schemaOf[row.log]}.${row.log} r
       where r.id = any($1::uuid[]) and r.created_at between $2::timestamptz and $3::timestamptz order by r.created_at, r.id`,
      [row.events, row.firstAt, row.lastAt],
    )
    const responses = await session.query<FindingDetail['responses'][number]>(
      `select created_at as at, action_performed as action, event_details ->> 'outcome' as outcome
       from akashi_security.v_security_events
       where event_type = 'detection_response' and created_at >= $2::timestamptz and event_details ->> 'finding' = $1::text
       order by created_at`,
      [id, row.createdAt],
    )
    await recordRead(session, { id }, [row])
    const there = new Set(evidence.rows.map(({ event }) => event.id))
    return {
      ...row,
      evidence: evidence.rows.map(({ event }) => event),
      archived: row.events.filter((event) => !there.has(event)),
      responses: responses.rows,
    }
  })
}

export interface FindingChange {
  readonly status?: FindingState
  readonly assignee?: string | null
  readonly notes?: string | null
}

/** @throws AkashiError not_found for an unknown finding, invalid_input for an assignee who is no user */
export async function changeFinding(
  database: Database,
  actor: Actor,
  findingId: string,
  change: FindingChange,
): Promise<FindingRow> {
  const id = parseQuery(uuid, findingId)
  if (change.assignee != null) parseQuery(z.guid('the assignee is not a UUID'), change.assignee)
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<FindingRow>(
      `update akashi_security.detection_findings f set
         status = coalesce($2, status),
         assignee = case when $3 then $4::uuid else assignee end,
         notes = case when $5 then $6 else notes end
       where id = $1 returning ${columns}`,
      [
        id,
        change.status ?? null,
        change.assignee !== undefined,
        change.assignee ?? null,
        change.notes !== undefined,
        change.notes ?? null,
      ],
    )
    const [row] = rows
    if (row === undefined) throw new AkashiError('not_found', `no finding ${id}`)
    return row
  })
}

export interface Case {
  readonly entity: string
  readonly severity: Severity
  readonly findings: number
  readonly open: number
  /** Ids. */
  readonly rules: readonly string[]
  readonly assignees: readonly string[]
  readonly dueAt: string | null
  readonly firstAt: string
  readonly lastAt: string
}

/** Findings of one entity together, the case with the newest finding first. */
export async function listCases(
  database: Database,
  actor: Actor,
  { active, cursor, limit }: { readonly active: boolean; readonly cursor?: string; readonly limit: number },
): Promise<Page<Case>> {
  const [at, digest] = cursor === undefined ? [null, null] : decodeCursor(cursor, casePlace)
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<Case>(
      `select f.entity, (array_agg(f.severity order by array_position($1::text[], f.severity::text) desc))[1] as severity,
         count(*)::float8 as findings, count(*) filter (where f.status = any($2::text[]))::float8 as open,
         to_json(array_agg(distinct f.rule_id)) as rules,
         coalesce(to_json(array_agg(distinct f.assignee) filter (where f.assignee is not null)), '[]') as assignees,
         min(f.due_at) filter (where f.status = any($2::text[])) as "dueAt", min(f.first_at) as "firstAt", max(f.last_at) as "lastAt"
       from akashi_security.detection_findings f group by f.entity
       having (not $3 or bool_or(f.status = any($2::text[])))
         and ($4::timestamptz is null or (max(f.last_at), md5(f.entity)) < ($4::timestamptz, $5::text))
       order by max(f.last_at) desc, md5(f.entity) desc limit $6`,
      [severities, openStates, active, at, digest, limit + 1],
    )
    const page = cut(rows, limit, ({ lastAt, entity }) => [lastAt, md5(entity)])
    await recordRead(session, { cases: page.rows.map(({ entity }) => entity), active }, [])
    return page
  })
}
