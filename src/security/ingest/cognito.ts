import {
  ACTION_CHARACTERS,
  DESCRIPTION_CHARACTERS,
  EVENT_TYPE_CHARACTERS,
  type EventResult,
  fit,
  NAME_CHARACTERS,
  type Severity,
} from '../event.ts'
import { normaliseAddress } from './address.ts'
import { BLANK } from './blank.ts'
import { textAt, valueAt } from './fields.ts'
import type { LineParser } from './format.ts'
import { isJsonObject, type JsonObject, parseJsonObject } from './json-text.ts'
import { formatTime, normaliseTime } from './time.ts'

const ACCOUNT_CHANGE = 3001
const AUTHENTICATION = 3002

/** `eventType` of the user activity that Cognito exports, other than sign-ins. */
const accountChanges: ReadonlyMap<string, string> = new Map([
  ['SignUp', 'account_created'],
  ['PasswordChange', 'password_changed'],
  ['ForgotPassword', 'password_reset'],
  ['ResendCode', 'confirmation_resent'],
])
const severities: ReadonlyMap<string, Severity> = new Map([
  ['Low', 'low'],
  ['Medium', 'medium'],
  ['High', 'high'],
])

/** Parses the user activity of Amazon Cognito: its log export, and `aws cognito-idp admin-list-user-auth-events`. */
export const parseCognitoEvent: LineParser = (text) => {
  const record = parseJsonObject(text)
  if (typeof record === 'string') return record
  const message = valueAt(record, 'message')
  const inner = typeof message === 'string' ? parseJsonObject(message) : message
  const event = isJsonObject(inner) ? inner : record
  const type = either(event, 'eventType')
  if (type === null) return 'not an event of Amazon Cognito: eventType is missing'
  const time = timeOf(record, event)
  if (time === null) return 'eventTimestamp: not milliseconds since 1970, and creationDate is not a time'
  const result = resultOf(either(event, 'eventResponse'))
  const context = valueAt(event, 'EventContextData')
  const risk = valueAt(event, 'EventRisk')
  const severity = severities.get(textAt(event, 'riskLevel') ?? textAt(risk, 'RiskLevel') ?? '')
  const change = accountChanges.get(type)
  const step = result === null ? 'authentication_step' : `authentication_${result}`
  return [
    {
      event: {
        ...BLANK,
        event_type: fit(change ?? step, EVENT_TYPE_CHARACTERS) ?? step,
        event_category: 'authentication',
        severity: severity ?? (result === 'failure' ? 'low' : 'info'),
        source_service: 'cognito-idp',
        description: fit(
          textAt(event, 'riskDecision') ?? textAt(risk, 'RiskDecision'),
          DESCRIPTION_CHARACTERS,
        ),
        user_name: fit(textAt(event, 'userName'), NAME_CHARACTERS),
        external_user_id: fit(textAt(event, 'userSub'), NAME_CHARACTERS),
        source_ip: normaliseAddress(textAt(event, 'ipAddress') ?? textAt(context, 'IpAddress') ?? ''),
        action_performed: fit(type, ACTION_CHARACTERS),
        result,
        tenant_id: fit(
          textAt(event, 'userPoolId') ?? textAt(record, 'logSourceId', 'userPoolId'),
          NAME_CHARACTERS,
        ),
        client_id: fit(textAt(event, 'clientId'), NAME_CHARACTERS),
        request_id: fit(textAt(event, 'requestId'), NAME_CHARACTERS),
        ocsf_class_uid: change === undefined ? AUTHENTICATION : ACCOUNT_CHANGE,
        event_details: { cognito: record },
        created_at: time,
      },
      id: null,
      key: either(event, 'eventId'),
    },
  ]
}

/** A field as the log export writes it, or as the command line does. */
function either(event: JsonObject, name: string): string | null {
  return textAt(event, name) ?? textAt(event, `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`)
}

function resultOf(response: string | null): EventResult | null {
  if (response === 'Pass' || response === 'Success') return 'success'
  return response === 'Fail' || response === 'Failure' ? 'failure' : null
}

function timeOf(record: JsonObject, event: JsonObject): string | null {
  const stamp = Number(textAt(record, 'eventTimestamp') ?? Number.NaN)
  if (Number.isSafeInteger(stamp) && stamp > 0) return formatTime(stamp)
  const written = either(event, 'creationDate')
  if (written === null) return null
  const exact = normaliseTime(written)
  if (exact !== null) return exact
  const seconds = Number(written)
  const milliseconds = Number.isNaN(seconds) ? Date.parse(written) : seconds * 1000
  return milliseconds > 0 && Number.isFinite(milliseconds) ? formatTime(Math.floor(milliseconds)) : null
}
