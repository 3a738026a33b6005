import {
  ACTION_CHARACTERS,
  DESCRIPTION_CHARACTERS,
  EVENT_TYPE_CHARACTERS,
  type EventCategory,
  type EventResult,
  fit,
  NAME_CHARACTERS,
  RESOURCE_ID_CHARACTERS,
  RESOURCE_TYPE_CHARACTERS,
  type Severity,
} from '../event.ts'
import { normaliseAddress } from './address.ts'
import { BLANK } from './blank.ts'
import { integerAt, textAt, uuidAt } from './fields.ts'
import type { LineParser, Reading } from './format.ts'
import { type JsonObject, parseJsonObject } from './json-text.ts'
import { formatTime } from './time.ts'

const ACCOUNT_CHANGE = 3001
const AUTHENTICATION = 3002
const ENTITY_MANAGEMENT = 3004
const USER_ACCESS = 3005
/** 9999-12-31T23:59:59.999Z, in milliseconds. */
const LAST_TIME = 253_402_300_799_999
const ERROR = '_ERROR'
const ROLE_MAPPING = /ROLE_MAPPING$|GROUP_MEMBERSHIP$/

type Kind = readonly [type: string, category: EventCategory, severity: Severity, ocsfClass: number]

/** User events; `authentication` gets the result behind it. */
const kinds: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['LOGIN', ['authentication', 'authentication', 'info', AUTHENTICATION]],
  ['CLIENT_LOGIN', ['authentication', 'authentication', 'info', AUTHENTICATION]],
  ['IDENTITY_PROVIDER_LOGIN', ['authentication', 'authentication', 'info', AUTHENTICATION]],
  ['LOGOUT', ['session_closed', 'authentication', 'info', AUTHENTICATION]],
  ['IMPERSONATE', ['impersonation', 'authorization', 'high', AUTHENTICATION]],
  ['REGISTER', ['account_created', 'configuration', 'info', ACCOUNT_CHANGE]],
  ['DELETE_ACCOUNT', ['account_deleted', 'configuration', 'medium', ACCOUNT_CHANGE]],
  ['UPDATE_PASSWORD', ['password_changed', 'authentication', 'info', ACCOUNT_CHANGE]],
  ['RESET_PASSWORD', ['password_changed', 'authentication', 'info', ACCOUNT_CHANGE]],
  ['UPDATE_TOTP', ['mfa_enrolled', 'authentication', 'info', ACCOUNT_CHANGE]],
  ['REMOVE_TOTP', ['mfa_removed', 'authentication', 'medium', ACCOUNT_CHANGE]],
  ['UPDATE_CREDENTIAL', ['credential_changed', 'authentication', 'low', ACCOUNT_CHANGE]],
  ['REMOVE_CREDENTIAL', ['mfa_removed', 'authentication', 'medium', ACCOUNT_CHANGE]],
  ['USER_DISABLED_BY_TEMPORARY_LOCKOUT', ['account_locked', 'authentication', 'medium', ACCOUNT_CHANGE]],
  ['USER_DISABLED_BY_PERMANENT_LOCKOUT', ['account_locked', 'authentication', 'medium', ACCOUNT_CHANGE]],
])

/** Parses user events and admin events of Keycloak, as its API, its webhooks and its event exporters write them. */
export const parseKeycloakEvent: LineParser = (text) => {
  const event = parseJsonObject(text)
  if (typeof event === 'string') return event
  const milliseconds = integerAt(event, 'time')
  if (milliseconds === null || milliseconds < 0 || milliseconds > LAST_TIME) {
    return 'time: not milliseconds since 1970'
  }
  const time = formatTime(milliseconds)
  const type = textAt(event, 'type')
  if (type !== null) return [userEvent(event, type, time)]
  const operation = textAt(event, 'operationType')
  if (operation !== null) return [adminEvent(event, operation, time)]
  return 'not an event of Keycloak: type and operationType are missing'
}

function userEvent(event: JsonObject, written: string, time: string): Reading {
  const result: EventResult =
    written.endsWith(ERROR) || textAt(event, 'error') !== null ? 'failure' : 'success'
  const name = written.endsWith(ERROR) ? written.slice(0, -ERROR.length) : written
  const [type, category, severity, ocsfClass] = kinds.get(name) ?? [
    `keycloak_${name.toLowerCase()}`,
    'authentication',
    'info',
    AUTHENTICATION,
  ]
  return {
    event: {
      ...common(event, event, result, time),
      event_type:
        fit(type === 'authentication' ? `authentication_${result}` : type, EVENT_TYPE_CHARACTERS) ?? type,
      event_category: category,
      severity: result === 'failure' && severity === 'info' ? 'low' : severity,
      user_name: fit(textAt(event, 'details', 'username'), NAME_CHARACTERS),
      session_id: uuidAt(event, 'sessionId'),
      action_performed: fit(name.toLowerCase(), ACTION_CHARACTERS),
      ocsf_class_uid: ocsfClass,
    },
    id: null,
    key: textAt(event, 'id'),
  }
}

function adminEvent(event: JsonObject, operation: string, time: string): Reading {
  const result: EventResult = textAt(event, 'error') === null ? 'success' : 'failure'
  const resource = textAt(event, 'resourceType') ?? 'UNKNOWN'
  const access = ROLE_MAPPING.test(resource)
  const removed = operation === 'DELETE'
  const kind = access ? (removed ? 'role_revoked' : 'role_granted') : null
  return {
    event: {
      ...common(event, event['authDetails'], result, time),
      event_type: kind ?? (resource === 'USER' ? 'account_changed' : 'policy_changed'),
      event_category: access ? 'authorization' : 'configuration',
      severity: 'medium',
      resource_type: fit(resource.toLowerCase(), RESOURCE_TYPE_CHARACTERS),
      resource_id: fit(textAt(event, 'resourcePath'), RESOURCE_ID_CHARACTERS),
      action_performed: fit(`${operation} ${resource}`.toLowerCase(), ACTION_CHARACTERS),
      ocsf_class_uid: access ? USER_ACCESS : ENTITY_MANAGEMENT,
    },
    id: null,
    key: textAt(event, 'id'),
  }
}

/** The fields that both kinds have; `by` says who did it. */
function common(event: JsonObject, by: unknown, result: EventResult, time: string) {
  return {
    ...BLANK,
    source_service: 'keycloak',
    description: fit(textAt(event, 'error'), DESCRIPTION_CHARACTERS),
    external_user_id: fit(textAt(by, 'userId'), NAME_CHARACTERS),
    source_ip: normaliseAddress(textAt(by, 'ipAddress') ?? ''),
    result,
    tenant_id: fit(textAt(event, 'realmId'), NAME_CHARACTERS),
    tenant_name: fit(textAt(event, 'realmName'), NAME_CHARACTERS),
    client_id: fit(textAt(by, 'clientId'), NAME_CHARACTERS),
    event_details: { keycloak: event },
    created_at: time,
  }
}
