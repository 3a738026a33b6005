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
  USER_AGENT_CHARACTERS,
} from '../event.ts'
import { normaliseAddress } from './address.ts'
import { textAt, valueAt } from './fields.ts'
import type { LineParser } from './format.ts'
import { type JsonObject, parseJsonObject } from './json-text.ts'
import { normaliseTime } from './time.ts'

const ACCOUNT_CHANGE = 3001
const AUTHENTICATION = 3002
const API_ACTIVITY = 6003

/** Calls that stop recording or make the record unreadable. */
const ATTACKS_ON_THE_TRAIL: ReadonlySet<string> = new Set([
  'StopLogging',
  'DeleteTrail',
  'UpdateTrail',
  'PutEventSelectors',
  'DeleteEventDataStore',
  'DeleteDetector',
  'DisableSecurityHub',
  'DeleteFlowLogs',
  'DeleteConfigurationRecorder',
  'StopConfigurationRecorder',
  'ScheduleKeyDeletion',
])
const REFUSED = /AccessDenied|Unauthorized|Forbidden|NotAuthorized/
const ACCOUNT_CALL = /User|LoginProfile|AccessKey|MFADevice/
const FEDERATION = /^(?:AssumeRole|GetFederationToken|GetSessionToken)/

interface Kind {
  readonly type: string
  readonly category: EventCategory
  readonly severity: Severity
  readonly ocsfClass: number
}

/** Parses AWS CloudTrail records; the details keep the whole record. */
export const parseCloudTrailRecord: LineParser = (text) => {
  const record = parseJsonObject(text)
  if (typeof record === 'string') return record
  const name = textAt(record, 'eventName')
  const source = textAt(record, 'eventSource')
  if (name === null || source === null) return 'not a CloudTrail record: eventName or eventSource is missing'
  const time = normaliseTime(textAt(record, 'eventTime') ?? '')
  if (time === null) return 'eventTime: not an RFC 3339 time with an offset'
  const result = resultOf(record)
  const kind = kindOf(record, name, source, result)
  const service = source.replace(/\.amazonaws\.com$/, '')
  const identity = valueAt(record, 'userIdentity')
  const issuer = valueAt(identity, 'sessionContext', 'sessionIssuer')
  const user = textAt(identity, 'userName') ?? textAt(issuer, 'userName') ?? textAt(identity, 'invokedBy')
  const event = {
    event_type: kind.type,
    event_category: kind.category,
    severity: kind.severity,
    source_service: fit(service, SOURCE_SERVICE_CHARACTERS) ?? 'cloudtrail',
    description: fit(textAt(record, 'errorMessage') ?? `${service}:${name}`, DESCRIPTION_CHARACTERS),
    user_id: null,
    user_name: fit(user ?? (textAt(identity, 'type') === 'Root' ? 'root' : null), NAME_CHARACTERS),
    external_user_id: fit(textAt(identity, 'arn') ?? textAt(identity, 'principalId'), NAME_CHARACTERS),
    session_id: null,
    // If a service made the call, this is its name.
    source_ip: normaliseAddress(textAt(record, 'sourceIPAddress') ?? ''),
    user_agent: fit(textAt(record, 'userAgent'), USER_AGENT_CHARACTERS),
    resource_type: fit(textAt(record, 'resources', '0', 'type'), RESOURCE_TYPE_CHARACTERS),
    resource_id: fit(textAt(record, 'resources', '0', 'ARN'), RESOURCE_ID_CHARACTERS),
    action_performed: fit(`${service}:${name}`, ACTION_CHARACTERS),
    result,
    tenant_id: fit(textAt(record, 'recipientAccountId') ?? textAt(identity, 'accountId'), NAME_CHARACTERS),
    tenant_name: null,
    client_id: fit(textAt(identity, 'accessKeyId'), NAME_CHARACTERS),
    client_name: null,
    request_id: fit(textAt(record, 'requestID'), NAME_CHARACTERS),
    trace_id: fit(textAt(record, 'sharedEventID'), NAME_CHARACTERS),
    ocsf_class_uid: kind.ocsfClass,
    event_details: { cloudtrail: record },
    created_at: time,
  }
  return [{ event, id: null, key: textAt(record, 'eventID') }]
}

function resultOf(record: JsonObject): EventResult {
  if (textAt(record, 'errorCode') !== null) return 'failure'
  return textAt(record, 'responseElements', 'ConsoleLogin') === 'Failure' ? 'failure' : 'success'
}

function kindOf(record: JsonObject, name: string, source: string, result: EventResult): Kind {
  const usual = result === 'failure' ? 'low' : 'info'
  const root = textAt(record, 'userIdentity', 'type') === 'Root'
  if (ATTACKS_ON_THE_TRAIL.has(name)) {
    return { type: 'trail_tampering', category: 'integrity', severity: 'high', ocsfClass: API_ACTIVITY }
  }
  if (name === 'ConsoleLogin') {
    const severity = root ? 'high' : usual
    return {
      type: `authentication_${result}`,
      category: 'authentication',
      severity,
      ocsfClass: AUTHENTICATION,
    }
  }
  if (REFUSED.test(textAt(record, 'errorCode') ?? '')) {
    return { type: 'access_denied', category: 'authorization', severity: 'medium', ocsfClass: API_ACTIVITY }
  }
  const severity = root ? 'medium' : usual
  if (source === 'sts.amazonaws.com' && FEDERATION.test(name)) {
    return { type: 'role_assumed', category: 'authentication', severity, ocsfClass: AUTHENTICATION }
  }
  const readOnly = valueAt(record, 'readOnly')
  if (readOnly === true || readOnly === 'true') {
    return { type: 'api_read', category: 'data_access', severity, ocsfClass: API_ACTIVITY }
  }
  if (source === 'iam.amazonaws.com') {
    const account = ACCOUNT_CALL.test(name)
    const type = account ? 'account_changed' : 'permission_changed'
    return {
      type,
      category: 'configuration',
      severity: 'medium',
      ocsfClass: account ? ACCOUNT_CHANGE : API_ACTIVITY,
    }
  }
  const data = textAt(record, 'eventCategory') === 'Data' || valueAt(record, 'managementEvent') === false
  return {
    type: 'api_write',
    category: data ? 'data_access' : 'configuration',
    severity,
    ocsfClass: API_ACTIVITY,
  }
}
