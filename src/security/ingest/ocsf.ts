import {
  ACTION_CHARACTERS,
  DESCRIPTION_CHARACTERS,
  EVENT_TYPE_CHARACTERS,
  type EventResult,
  fit,
  NAME_CHARACTERS,
  RESOURCE_ID_CHARACTERS,
  RESOURCE_TYPE_CHARACTERS,
  type Severity,
  SOURCE_SERVICE_CHARACTERS,
  USER_AGENT_CHARACTERS,
} from '../event.ts'
import { normaliseAddress } from './address.ts'
import { integerAt, textAt, uuidAt, valueAt } from './fields.ts'
import type { LineParser } from './format.ts'
import { type JsonObject, parseJsonObject } from './json-text.ts'
import { isAuthentication, isIdentityClass, ocsfCategory, ocsfEventType, targetsOf } from './ocsf-classes.ts'
import { formatTime, normaliseTime } from './time.ts'

/** severity_id of the schema's base event: 0 unknown, 1 informational, … 5 critical, 6 fatal. */
const SEVERITIES: readonly Severity[] = ['info', 'info', 'low', 'medium', 'high', 'critical', 'critical']
const SUCCESS = 1
const FAILURE = 2
/**
 * The schema counts milliseconds, but some producers count seconds, microseconds or nanoseconds: which one, its
 * size says, for times from 1980 on.
 */
const UNITS = [
  { from: 315_532_800_000_000_000, to: 4_102_444_800_000_000_000, perMillisecond: 1_000_000 },
  { from: 315_532_800_000_000, to: 4_102_444_800_000_000, perMillisecond: 1_000 },
  { from: 315_532_800, to: 4_102_444_800, perMillisecond: 0.001 },
] as const
/** 9999-12-31T23:59:59.999Z, in milliseconds. */
const LAST_TIME = 253_402_300_799_999

/** Parses OCSF events of any class; the details keep the whole event. */
export const parseOcsfEvent: LineParser = (text) => {
  const ocsf = parseJsonObject(text)
  if (typeof ocsf === 'string') return ocsf
  const classUid = integerAt(ocsf, 'class_uid')
  if (classUid === null || classUid < 1 || classUid > 0x7fff_ffff) return 'class_uid: not a class number'
  const time = timeOf(ocsf)
  if (time === null) return 'time: neither time_dt nor a count of milliseconds since 1970'
  const activity = integerAt(ocsf, 'activity_id')
  const result = resultOf(ocsf)
  const user = userOf(ocsf, classUid)
  const target = targetOf(ocsf, classUid)
  const product = textAt(ocsf, 'metadata', 'product', 'name')
  const uid = textAt(ocsf, 'metadata', 'uid')
  const event = {
    event_type: fit(ocsfEventType(classUid, activity, result), EVENT_TYPE_CHARACTERS) ?? 'unknown',
    event_category: ocsfCategory(classUid),
    severity: SEVERITIES[integerAt(ocsf, 'severity_id') ?? 0] ?? 'info',
    source_service:
      fit(textAt(ocsf, 'api', 'service', 'name') ?? product, SOURCE_SERVICE_CHARACTERS) ?? 'ocsf',
    description: fit(textAt(ocsf, 'message') ?? textAt(ocsf, 'status_detail'), DESCRIPTION_CHARACTERS),
    user_id: null,
    user_name: fit(textAt(user, 'name') ?? textAt(user, 'email_addr'), NAME_CHARACTERS),
    external_user_id: fit(textAt(user, 'uid'), NAME_CHARACTERS),
    session_id: uuidAt(ocsf, 'session', 'uid') ?? uuidAt(ocsf, 'actor', 'session', 'uid'),
    source_ip: normaliseAddress(textAt(ocsf, 'src_endpoint', 'ip') ?? ''),
    user_agent: fit(textAt(ocsf, 'http_request', 'user_agent'), USER_AGENT_CHARACTERS),
    resource_type: fit(textAt(target, 'type'), RESOURCE_TYPE_CHARACTERS),
    resource_id: fit(textAt(target, 'uid') ?? textAt(target, 'name'), RESOURCE_ID_CHARACTERS),
    action_performed: fit(
      textAt(ocsf, 'api', 'operation') ?? textAt(ocsf, 'activity_name'),
      ACTION_CHARACTERS,
    ),
    result,
    tenant_id: fit(textAt(ocsf, 'metadata', 'tenant_uid'), NAME_CHARACTERS),
    tenant_name: null,
    client_id: fit(textAt(ocsf, 'actor', 'app_uid'), NAME_CHARACTERS),
    client_name: fit(textAt(ocsf, 'actor', 'app_name'), NAME_CHARACTERS),
    request_id: fit(
      textAt(ocsf, 'api', 'request', 'uid') ?? textAt(ocsf, 'http_request', 'uid'),
      NAME_CHARACTERS,
    ),
    trace_id: fit(textAt(ocsf, 'metadata', 'correlation_uid'), NAME_CHARACTERS),
    ocsf_class_uid: classUid,
    event_details: { ocsf },
    created_at: time,
  }
  // A uid is unique only within its product.
  return [{ event, id: null, key: uid === null ? null : JSON.stringify([product, classUid, uid]) }]
}

function timeOf(ocsf: JsonObject): string | null {
  const exact = normaliseTime(textAt(ocsf, 'time_dt') ?? '')
  if (exact !== null) return exact
  const count = Number(textAt(ocsf, 'time') ?? Number.NaN)
  if (Number.isNaN(count)) return normaliseTime(textAt(ocsf, 'time') ?? '')
  const unit = UNITS.find(({ from, to }) => count >= from && count < to)
  const milliseconds = Math.floor(count / (unit?.perMillisecond ?? 1))
  return milliseconds >= 0 && milliseconds <= LAST_TIME ? formatTime(milliseconds) : null
}

function resultOf(ocsf: JsonObject): EventResult | null {
  const status = integerAt(ocsf, 'status_id')
  if (status === SUCCESS) return 'success'
  return status === FAILURE ? 'failure' : null
}

/** Who did it: the user who signs in, and otherwise the actor, since another class's user is whom it was done to. */
function userOf(ocsf: JsonObject, classUid: number): unknown {
  const [own, actor] = [valueAt(ocsf, 'user'), valueAt(ocsf, 'actor', 'user')]
  if (isAuthentication(classUid)) return own ?? actor
  return isIdentityClass(classUid) ? actor : (actor ?? own)
}

/** The target; a changed account is a target of type user. */
function targetOf(ocsf: JsonObject, classUid: number): unknown {
  for (const name of targetsOf(classUid)) {
    const found = valueAt(ocsf, name)
    const first = Array.isArray(found) ? found[0] : found
    if (first === undefined || first === null) continue
    return { type: textAt(first, 'type') ?? name, uid: textAt(first, 'uid'), name: textAt(first, 'name') }
  }
  return null
}
