import type { EventCategory, EventResult, Severity } from '../../event.ts'
import { csvFields } from './reader.ts'
import type { LogRecord } from './record.ts'

const AUTHENTICATION = 3002
const ENTITY_MANAGEMENT = 3004
const USER_ACCESS = 3005
const DATASTORE_ACTIVITY = 6005
const APPLICATION_LIFECYCLE = 6002

export interface Facts {
  readonly type: string
  readonly category: EventCategory
  readonly severity: Severity
  readonly result: EventResult | null
  readonly ocsfClass: number
  readonly action?: string | undefined
  readonly user?: string | undefined
  readonly objectType?: string | undefined
  readonly objectName?: string | undefined
  readonly details?: Readonly<Record<string, unknown>>
}

/** Fields of a record of pgaudit (its README, "Format"). */
const AUDIT = 'AUDIT: '
const AUDIT_FIELDS = 8
const AUTHORIZED = /^(replication )?connection authorized: user=(\S*)/
const DISCONNECTED = /^disconnection: session time: (\S+) user=(\S*)/
const PARAMETER = /^parameter "([^"]*)" (?:changed to|removed)/
const STATEMENT = /^(?:duration: \S+ ms {2})?(?:statement|execute [^:]*): (.*)$/s
const FAILED_USER = /(?:for user|role) "([^"]*)"/
const ROLE_COMMAND =
  /^(?:grant|revoke|(?:create|alter|drop) (?:role|user|group)|reassign|security label|alter default privileges)\b/i
const DEFINITION = /^(?:create|alter|drop|truncate|comment|import)\b/i
const READ = /^(?:select|copy\b[\s\S]*\bto\b|table|with|fetch|declare)\b/i
const WRITE = /^(?:insert|update|delete|merge|copy)\b/i

/** Returns what a record says, or why it is not an event. */
export function readKind(record: LogRecord): Facts | string {
  const failure = failureOf(record)
  if (failure !== null) return failure
  const { message } = record
  if (message.startsWith(AUDIT)) return audited(message.slice(AUDIT.length))
  const authorized = AUTHORIZED.exec(message)
  if (authorized !== null) {
    const details = authorized[1] === undefined ? {} : { replication: true }
    return { ...login('success'), user: authorized[2], details }
  }
  const gone = DISCONNECTED.exec(message)
  if (gone !== null) {
    return {
      ...login('success'),
      type: 'session_closed',
      action: 'disconnect',
      user: gone[2],
      details: { duration: gone[1] },
    }
  }
  const parameter = PARAMETER.exec(message)
  if (parameter !== null) {
    return {
      type: 'configuration_changed',
      category: 'configuration',
      severity: 'medium',
      result: 'success',
      ocsfClass: ENTITY_MANAGEMENT,
      action: 'set parameter',
      objectType: 'parameter',
      objectName: parameter[1],
    }
  }
  const statement = STATEMENT.exec(message)
  if (statement !== null) return stated(statement[1] ?? '')
  if (message === 'database system is ready to accept connections') return service('service_started')
  if (message.startsWith('database system is shut down')) return service('service_stopped')
  return 'not an event: a message of the server itself'
}

function failureOf({ severity, sqlState, message, user }: LogRecord): Facts | null {
  if (severity !== 'ERROR' && severity !== 'FATAL' && severity !== 'PANIC') return null
  if (sqlState === '28P01' || sqlState === '28000') {
    return { ...login('failure'), user: user ?? FAILED_USER.exec(message)?.[1] }
  }
  const base = { result: 'failure', ocsfClass: DATASTORE_ACTIVITY } as const
  if (sqlState === '42501')
    return { ...base, type: 'access_denied', category: 'authorization', severity: 'medium' }
  if (sqlState === '53300')
    return { ...base, type: 'connection_refused', category: 'network', severity: 'low' }
  if (sqlState === 'XX001' || sqlState === 'XX002') {
    return { ...base, type: 'database_corruption', category: 'integrity', severity: 'critical' }
  }
  return { ...base, type: 'database_error', category: 'system', severity: 'low' }
}

function audited(text: string): Facts | string {
  const fields = csvFields(text.replaceAll('\n', ' '))
  if (fields === null || fields.length < AUDIT_FIELDS) return 'not a record of pgaudit'
  const [scope, , , group = '', command, objectType, objectName, statement] = fields
  return {
    ...ofClass(group),
    action: command,
    objectType: objectType === '' ? undefined : objectType?.toLowerCase(),
    objectName: objectName === '' ? undefined : objectName,
    details: { audit: scope?.toLowerCase(), class: group, statement: withoutSecrets(statement ?? '') },
  }
}

function stated(statement: string): Facts | string {
  const text = statement.trimStart()
  const group = [
    ['ROLE', ROLE_COMMAND],
    ['DDL', DEFINITION],
    ['READ', READ],
    ['WRITE', WRITE],
  ] as const
  const found = group.find(([, pattern]) => pattern.test(text))?.[0] ?? 'MISC'
  return {
    ...ofClass(found),
    action: /^\w+/.exec(text)?.[0].toUpperCase(),
    details: { class: found, statement: withoutSecrets(statement) },
  }
}

function ofClass(group: string): Facts {
  const base = {
    result: 'success',
    severity: 'info',
    category: 'data_access',
    ocsfClass: DATASTORE_ACTIVITY,
  } as const
  if (group === 'READ') return { ...base, type: 'data_access' }
  if (group === 'WRITE') return { ...base, type: 'data_modification' }
  if (group === 'ROLE') {
    return {
      ...base,
      type: 'permission_changed',
      category: 'authorization',
      severity: 'medium',
      ocsfClass: USER_ACCESS,
    }
  }
  if (group === 'DDL') return { ...base, type: 'schema_changed', category: 'configuration', severity: 'low' }
  return { ...base, type: 'database_command', category: 'system' }
}

function login(result: EventResult): Facts {
  return {
    type: `authentication_${result}`,
    category: 'authentication',
    severity: result === 'failure' ? 'low' : 'info',
    result,
    ocsfClass: AUTHENTICATION,
    action: 'connect',
  }
}

function service(type: string): Facts {
  return { type, category: 'system', severity: 'info', result: null, ocsfClass: APPLICATION_LIFECYCLE }
}

/** Statements that set a password contain it. */
export function withoutSecrets(statement: string): string {
  return statement.replaceAll(/\b(password|identified by)(\s*=?\s*)(?:E|U&)?'(?:[^']|'')*'?/gi, "$1$2'…'")
}
