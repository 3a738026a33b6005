/**
 * Records events from code. The actor comes from the signed context of the transaction, never from the event;
 * the event may only add what the context lacks (a login is recorded before its session exists).
 */
import { AkashiError } from '../foundation/index.ts'
import type { Actor, Database, Session } from '../postgres/index.ts'
import {
  ACTION_CHARACTERS,
  DESCRIPTION_CHARACTERS,
  type EventCategory,
  type EventResult,
  fit,
  NAME_CHARACTERS,
  RESOURCE_ID_CHARACTERS,
  RESOURCE_TYPE_CHARACTERS,
  type Severity,
  SOURCE_SERVICE_CHARACTERS,
} from './event.ts'
import { type AkashiEventType, akashiEventTypes, isAkashiEventType } from './event-types.ts'
import { normaliseAddress } from './ingest/address.ts'
import { parseJsonObject } from './ingest/json-text.ts'
import { storable } from './ingest/text.ts'

/** Maximum details of an event, in characters of JSON; longer ones are replaced by a note of their length. */
export const EVENT_DETAILS_CHARACTERS = 65_536

/** Fields of any event. Text too long for its column is truncated, so that no input can prevent an event. */
interface EventFacts {
  readonly description?: string | null
  /** `akashi_auth.users.id` of the actor; ignored if the signed context names one. */
  readonly user_id?: string | null
  /** The name as entered, even if no account has it. */
  readonly user_name?: string | null
  readonly external_user_id?: string | null
  /** Like user_id. */
  readonly session_id?: string | null
  /** Like user_id; host names are dropped. */
  readonly source_ip?: string | null
  /** Type of the target (`user`, `role`, `api_key` …) and its id. */
  readonly resource_type?: string | null
  readonly resource_id?: string | null
  readonly action_performed?: string | null
  readonly tenant_id?: string | null
  readonly tenant_name?: string | null
  readonly client_id?: string | null
  readonly client_name?: string | null
  readonly event_details?: Readonly<Record<string, unknown>>
}

/** An event of Akashi's own types, which determine category, severity, result and OCSF class. */
export interface AkashiEvent extends EventFacts {
  readonly event_type: AkashiEventType
  readonly severity?: Severity
  readonly result?: EventResult
  /** The part of Akashi; `akashi` by default. */
  readonly source_service?: string
}

/** An event of an application with its own type. */
export interface ApplicationEvent extends EventFacts {
  readonly event_type: string
  readonly event_category: EventCategory
  readonly severity: Severity
  readonly source_service: string
  readonly result?: EventResult | null
  readonly ocsf_class_uid?: number | null
}

/**
 * Records an event in the caller's transaction, with which it commits. Returns its id.
 *
 * @throws AkashiError invalid_input for an unknown type, category or severity
 */
export async function recordEvent(session: Session, event: AkashiEvent | ApplicationEvent): Promise<string> {
  const { rows } = await session.query<{ id: string }>(
    `select akashi_security.record_event(event_type => $1, event_category => $2, severity => $3, source_service => $4,
       description => $5, user_id => $6, user_name => $7, external_user_id => $8, session_id => $9,
       source_ip => $10, resource_type => $11, resource_id => $12, action_performed => $13, result => $14,
       tenant_id => $15, tenant_name => $16, client_id => $17, client_name => $18, ocsf_class_uid => $19,
       event_details => $20) as id`,
    valuesOf(event),
  )
  const [row] = rows
  if (row === undefined) throw new AkashiError('internal', 'the database returned no id')
  return row.id
}

/**
 * Records an event in a separate transaction, such as a refusal whose own transaction is rolled back. When the
 * promise resolves, the event is committed; it is never buffered, and the pool size limits the load.
 */
export async function recordEventAlone(
  database: Database,
  actor: Actor,
  event: AkashiEvent | ApplicationEvent,
): Promise<string> {
  return await database.transaction(actor, (session) => recordEvent(session, event))
}

function valuesOf(event: AkashiEvent | ApplicationEvent): unknown[] {
  const { event_category, severity, result, ocsf_class_uid } = classified(event)
  return [
    event.event_type,
    event_category,
    severity,
    text(event.source_service ?? 'akashi', SOURCE_SERVICE_CHARACTERS),
    text(event.description, DESCRIPTION_CHARACTERS),
    event.user_id ?? null,
    text(event.user_name, NAME_CHARACTERS),
    text(event.external_user_id, NAME_CHARACTERS),
    event.session_id ?? null,
    typeof event.source_ip === 'string' ? normaliseAddress(event.source_ip) : null,
    text(event.resource_type, RESOURCE_TYPE_CHARACTERS),
    text(event.resource_id, RESOURCE_ID_CHARACTERS),
    text(event.action_performed, ACTION_CHARACTERS),
    result,
    text(event.tenant_id, NAME_CHARACTERS),
    text(event.tenant_name, NAME_CHARACTERS),
    text(event.client_id, NAME_CHARACTERS),
    text(event.client_name, NAME_CHARACTERS),
    ocsf_class_uid,
    details(event.event_details ?? {}),
  ]
}

function classified(event: AkashiEvent | ApplicationEvent): {
  readonly event_category: EventCategory
  readonly severity: Severity
  readonly result: EventResult | null
  readonly ocsf_class_uid: number | null
} {
  if ('event_category' in event) {
    const { event_category, severity, result = null, ocsf_class_uid = null } = event
    return { event_category, severity, result, ocsf_class_uid }
  }
  // Callers in plain JavaScript are not type-checked.
  if (!isAkashiEventType(event.event_type)) {
    throw new AkashiError('invalid_input', `${String(event.event_type)} is not an event type of Akashi`, {
      hint: 'for your own event types set event_category, severity and source_service',
    })
  }
  const facts = akashiEventTypes[event.event_type]
  return {
    event_category: facts.category,
    severity: event.severity ?? facts.severity,
    result: event.result ?? facts.result,
    ocsf_class_uid: facts.ocsf,
  }
}

function text(value: string | null | undefined, characters: number): string | null {
  const fitted = fit(value, characters)
  return fitted === null ? null : storable(fitted)
}

function details(value: Readonly<Record<string, unknown>>): string {
  const parsed = parseJsonObject(JSON.stringify(value))
  if (typeof parsed === 'string') {
    throw new AkashiError('invalid_input', `the details of an event are ${parsed}`)
  }
  const json = JSON.stringify(parsed)
  return json.length <= EVENT_DETAILS_CHARACTERS ? json : JSON.stringify({ left_out_characters: json.length })
}
