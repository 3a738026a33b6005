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
import { isJsonObject, type JsonObject, parseJsonObject } from './json-text.ts'
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
  'PutInsightSelectors',
  'StopEventDataStoreIngestion',
  'DeleteEventDataStore',
  'DeregisterOrganizationDelegatedAdmin',
  'DeleteDetector',
  'DisableSecurityHub',
  'DeleteFlowLogs',
  'DeleteConfigurationRecorder',
  'StopConfigurationRecorder',
  'DeleteDeliveryChannel',
  'ScheduleKeyDeletion',
  'DisableKey',
  // Records of other services.
  'DeleteResolverQueryLogConfig',
  'DisassociateResolverQueryLogConfig',
  'DeleteQueryLoggingConfig',
  'DeleteModelInvocationLoggingConfiguration',
  'DeleteLoggingConfiguration',
  'DeleteLogGroup',
  'DeleteLogStream',
  'DeleteLogDelivery',
  'DeleteDeliverySource',
  'DeleteSubscriptionFilter',
  'DeleteAccountAuditConfiguration',
  'DisableGuardDuty',
  'DisassociateFromMasterAccount',
  'DisassociateFromAdministratorAccount',
  'DisableMacie',
  'DisableInspector',
  'DisableRegion',
])
const REFUSED = /AccessDenied|Unauthorized|Forbidden|NotAuthorized/
/** Names of calls that only read, for records of versions and services that do not say so. */
const READ_CALL =
  /^(?:Describe|Get|List|Lookup|Head|Search|BatchGet|Select|Query|Scan|Test|Validate|Simulate)/
/** Sign-ins, of the console, of IAM Identity Center, and of Amazon Cognito. */
const SIGN_INS: ReadonlySet<string> = new Set([
  'ConsoleLogin',
  'UserAuthentication',
  'Authenticate',
  'InitiateAuth',
  'AdminInitiateAuth',
  'RespondToAuthChallenge',
  'AdminRespondToAuthChallenge',
  'Login_POST',
])
/** Steps of one sign-in: only their failures are attempts, since the sign-in is recorded by itself. */
const SIGN_IN_STEPS: ReadonlySet<string> = new Set([
  'CheckMfa',
  'CredentialChallenge',
  'CredentialVerification',
])
const SIGN_IN_SERVICES = /^(?:signin|sso|sso-directory|cognito-idp)\.amazonaws\.com$/
/** A role of IAM Identity Center, whose session has the name of a person. */
const PERSONS_ROLE = /:assumed-role\/AWSReservedSSO_[^/]+\/(.+)$/
const ACCOUNT_CALL = /User|LoginProfile|AccessKey|MFADevice/
const FEDERATION = /^(?:AssumeRole|GetFederationToken|GetSessionToken)/

const OPENS_NETWORKS: ReadonlySet<string> = new Set([
  'AuthorizeSecurityGroupIngress',
  'ModifySecurityGroupRules',
  'AuthorizeDBSecurityGroupIngress',
])
/** Objects and lists inside each other in a request. */
const MAX_DEPTH = 12

interface Kind {
  readonly type: string
  readonly category: EventCategory
  readonly severity: Severity
  readonly ocsfClass: number
}

/** Parses AWS CloudTrail records; the details keep the whole record. */
export const parseCloudTrailRecord: LineParser = (text) => {
  const written = parseJsonObject(text)
  if (typeof written === 'string') return written
  const record = unwrapped(written)
  if (typeof record === 'string') return record
  if (Object.hasOwn(record, 'digestStartTime') && Object.hasOwn(record, 'logFiles')) {
    return 'a CloudTrail digest, which lists log files and contains no events; ingest those files'
  }
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
  const user =
    textAt(identity, 'userName') ??
    textAt(record, 'additionalEventData', 'UserName') ??
    PERSONS_ROLE.exec(textAt(identity, 'arn') ?? '')?.[1] ??
    textAt(issuer, 'userName') ??
    textAt(record, 'requestParameters', 'username') ??
    textAt(identity, 'invokedBy')
  const external =
    textAt(identity, 'arn') ??
    textAt(identity, 'onBehalfOf', 'userId') ??
    textAt(identity, 'principalId') ??
    textAt(record, 'additionalEventData', 'sub')
  const event = {
    event_type: kind.type,
    event_category: kind.category,
    severity: kind.severity,
    source_service: fit(service, SOURCE_SERVICE_CHARACTERS) ?? 'cloudtrail',
    description: fit(textAt(record, 'errorMessage') ?? `${service}:${name}`, DESCRIPTION_CHARACTERS),
    user_id: null,
    user_name: fit(user ?? (textAt(identity, 'type') === 'Root' ? 'root' : null), NAME_CHARACTERS),
    external_user_id: fit(external, NAME_CHARACTERS),
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
    client_id: fit(
      textAt(identity, 'accessKeyId') ?? textAt(record, 'requestParameters', 'clientId'),
      NAME_CHARACTERS,
    ),
    client_name: null,
    request_id: fit(textAt(record, 'requestID'), NAME_CHARACTERS),
    trace_id: fit(textAt(record, 'sharedEventID'), NAME_CHARACTERS),
    ocsf_class_uid: kind.ocsfClass,
    event_details: { cloudtrail: record, ...openNetwork(name, record) },
    created_at: time,
  }
  return [{ event, id: null, key: textAt(record, 'eventID') }]
}

/**
 * Rules test single values, and the networks of a security group are in lists of lists. EC2 writes them as
 * `ipPermissions.items[].ipRanges.items[].cidrIp`.
 */
function openNetwork(name: string, record: JsonObject): { readonly open_network?: string } {
  if (!OPENS_NETWORKS.has(name)) return {}
  const found = openIn(valueAt(record, 'requestParameters'), 0)
  return found === null ? {} : { open_network: found }
}

function openIn(value: unknown, depth: number): string | null {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return null
  for (const [key, inner] of Object.entries(value)) {
    if (/^cidrip(?:v[46])?$/i.test(key) && (inner === '0.0.0.0/0' || inner === '::/0')) return inner
    const found = openIn(inner, depth + 1)
    if (found !== null) return found
  }
  return null
}

function resultOf(record: JsonObject): EventResult {
  if (textAt(record, 'errorCode') !== null) return 'failure'
  // Sign-ins name their outcome after themselves.
  const name = textAt(record, 'eventName') ?? ''
  const outcome = textAt(record, 'responseElements', name) ?? textAt(record, 'serviceEventDetails', name)
  return outcome === 'Failure' ? 'failure' : 'success'
}

/** The record inside what `lookup-events`, EventBridge or CloudWatch Logs put around it. */
function unwrapped(written: JsonObject): JsonObject | string {
  if (Object.hasOwn(written, 'eventName')) return written
  const inner =
    valueAt(written, 'CloudTrailEvent') ?? valueAt(written, 'detail') ?? valueAt(written, 'message')
  if (typeof inner === 'string') return parseJsonObject(inner)
  return isJsonObject(inner) ? inner : written
}

function kindOf(record: JsonObject, name: string, source: string, result: EventResult): Kind {
  return signInKind(record, name, source, result) ?? callKind(record, name, source, result)
}

function signInKind(record: JsonObject, name: string, source: string, result: EventResult): Kind | null {
  if (!SIGN_IN_SERVICES.test(source)) return null
  const base = { category: 'authentication', ocsfClass: AUTHENTICATION } as const
  const usual = result === 'failure' ? 'low' : 'info'
  const root = textAt(record, 'userIdentity', 'type') === 'Root'
  if (SIGN_INS.has(name) || (SIGN_IN_STEPS.has(name) && result === 'failure')) {
    return { ...base, type: `authentication_${result}`, severity: root ? 'high' : usual }
  }
  if (SIGN_IN_STEPS.has(name)) return { ...base, type: 'authentication_step', severity: 'info' }
  if (name !== 'SwitchRole') return null
  if (result === 'success') return { ...base, type: 'role_assumed', severity: usual }
  return { type: 'access_denied', category: 'authorization', severity: 'medium', ocsfClass: API_ACTIVITY }
}

function callKind(record: JsonObject, name: string, source: string, result: EventResult): Kind {
  const usual = result === 'failure' ? 'low' : 'info'
  const root = textAt(record, 'userIdentity', 'type') === 'Root'
  if (ATTACKS_ON_THE_TRAIL.has(name)) {
    return { type: 'trail_tampering', category: 'integrity', severity: 'high', ocsfClass: API_ACTIVITY }
  }
  if (REFUSED.test(textAt(record, 'errorCode') ?? '')) {
    return { type: 'access_denied', category: 'authorization', severity: 'medium', ocsfClass: API_ACTIVITY }
  }
  const severity = root ? 'medium' : usual
  if (source === 'sts.amazonaws.com' && FEDERATION.test(name)) {
    return { type: 'role_assumed', category: 'authentication', severity, ocsfClass: AUTHENTICATION }
  }
  const readOnly = valueAt(record, 'readOnly')
  if (readOnly === true || readOnly === 'true' || (readOnly === undefined && READ_CALL.test(name))) {
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
