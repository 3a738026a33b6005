/** Records what no trigger sees, in the caller's transaction, with which it is committed or not. */
import type { AccessToRecord, ActionToRecord, EventToRecord } from '@akashi/contract/trail'
import type { Executor } from './executor.ts'
import { arrayLiteral } from './wire.ts'

/** Records an action in the trail: a sign-in, an export, a refusal. Returns the id of its row. */
export async function recordAction(executor: Executor, action: ActionToRecord): Promise<string> {
  return await call(executor, 'akashi_audit.record_action', [
    ['event_type', 'text', action.eventType],
    ['action', 'text', action.action],
    ['resource', 'text', action.resource],
    ['resource_id', 'text', action.resourceId],
    ['result', 'text', action.result],
    ['detail', 'jsonb', json(action.detail)],
    ['data_classification', 'text', action.classification],
    ['data_subject', 'text', action.dataSubject],
    ['error_code', 'text', action.errorCode],
    ['error_message', 'text', action.errorMessage],
  ])
}

/** Records that confidential data was read. Returns the id of its row. */
export async function recordAccess(executor: Executor, access: AccessToRecord): Promise<string> {
  return await call(executor, 'akashi_audit.record_access', [
    ['resource', 'text', access.resource],
    ['resource_ids', 'text[]', arrayLiteral(access.ids)],
    ['reason', 'text', access.reason],
    ['data_classification', 'text', access.classification],
    ['asked', 'jsonb', json(access.asked)],
  ])
}

/** Records a security event, for detection and alerts. Who acted is taken from the context. Returns its id. */
export async function recordEvent(executor: Executor, event: EventToRecord): Promise<string> {
  return await call(executor, 'akashi_security.record_event', [
    ['event_type', 'text', event.type],
    ['event_category', 'text', event.category],
    ['severity', 'text', event.severity],
    ['source_service', 'text', event.service],
    ['description', 'text', event.description],
    ['user_name', 'text', event.userName],
    ['resource_type', 'text', event.resourceType],
    ['resource_id', 'text', event.resourceId],
    ['action_performed', 'text', event.action],
    ['result', 'text', event.result],
    ['event_details', 'jsonb', json(event.details)],
  ])
}

type Argument = readonly [name: string, type: string, value: string | undefined]

/** Only given values are passed, so that the defaults are defined in one place, the function. */
async function call(executor: Executor, name: string, all: readonly Argument[]): Promise<string> {
  const given = all.filter(([, , value]) => value !== undefined)
  // By way of text, since some drivers encode values by the type of the parameter.
  const list = given
    .map(([argument, type], index) => `${argument} => $${index + 1}::text::${type}`)
    .join(', ')
  const { rows } = await executor.query(
    `select ${name}(${list})::text as id`,
    given.map(([, , value]) => value),
  )
  return (rows[0] as { id: string }).id
}

function json(value: unknown): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value)
}
