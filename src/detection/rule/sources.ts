/** Where the events of a Sigma log source are stored, and the names of its fields there. */
import type { Expression, Field, SourceTable } from './ast.ts'
import { RuleFault } from './fault.ts'
import type { Fields } from './items.ts'

export interface Source {
  readonly table: SourceTable
  /** What distinguishes the events of the source from others in the table. */
  readonly filter: Expression | null
  readonly fields: Fields
  /** Default subject of a finding. */
  readonly groupBy: readonly string[]
}

type Columns = Readonly<Record<string, Field['type']>>

const text = (names: string): Columns =>
  Object.fromEntries(names.split(' ').map((name) => [name, 'text' as const]))
const other = (names: string): Columns =>
  Object.fromEntries(names.split(' ').map((name) => [name, 'other' as const]))

const tables: Readonly<
  Record<
    SourceTable,
    { readonly columns: Columns; readonly details: string | null; readonly keywords: readonly string[] }
  >
> = {
  security_events: {
    columns: {
      ...text(
        'event_type event_category severity source_service description signed_by user_id user_name external_user_id session_id user_agent resource_type resource_id action_performed result tenant_id tenant_name client_id client_name request_id trace_id',
      ),
      ...other('id ocsf_class_uid'),
      source_ip: 'address',
      created_at: 'time',
      event_details: 'json',
    },
    details: 'event_details',
    keywords: ['description'],
  },
  audit_logs: {
    columns: {
      ...text(
        'user_id session_id subject user_agent signed_by db_user db_system_user application_name event_type action resource resource_id result error_code error_message schema_name table_name operation record_id data_subject api_endpoint request_id trace_id correlation_id application_version tenant_id data_classification',
      ),
      ...other('id context_verified trigger_depth'),
      ip_address: 'address',
      db_address: 'address',
      created_at: 'time',
      old_values: 'json',
      new_values: 'json',
      detail: 'json',
    },
    details: null,
    keywords: ['action', 'resource', 'error_message'],
  },
  login_attempts: {
    columns: {
      ...text('issuer method result failure_reason user_agent request_id trace_id tenant_id'),
      ...other('id user_id counted session_id'),
      ip_address: 'address',
      created_at: 'time',
    },
    details: null,
    keywords: ['failure_reason'],
  },
}

/** Fields of OCSF by their paths, which have a column of their own. */
const ocsfColumns: Readonly<Record<string, string>> = {
  'user.name': 'user_name',
  'actor.user.name': 'user_name',
  'user.uid': 'external_user_id',
  'actor.user.uid': 'external_user_id',
  'src_endpoint.ip': 'source_ip',
  class_uid: 'ocsf_class_uid',
  'http_request.user_agent': 'user_agent',
  'api.operation': 'action_performed',
  message: 'description',
}

/** Names of fields of other products that have a column here. */
const commonColumns: Readonly<Record<string, string>> = {
  user: 'user_name',
  username: 'user_name',
  src_ip: 'source_ip',
  sourceip: 'source_ip',
  message: 'description',
  useragent: 'user_agent',
}

const IDENTIFIER = /^[A-Za-z_][\w-]{0,99}$/
const MAX_PATH = 12

export function fieldOfTable(table: SourceTable, name: string): Field {
  const { columns, details } = tables[table]
  const [column = '', ...path] = name.split('.')
  const type = columns[column]
  if (type === 'json') return { column, type, path: keys(name, path) }
  if (type !== undefined && path.length === 0) return { column, type, path: [] }
  if (details !== null && type === undefined)
    return { column: details, type: 'json', path: keys(name, name.split('.')) }
  throw new RuleFault(`${table} has no field ${name}`)
}

function keys(name: string, path: readonly string[]): readonly string[] {
  if (
    path.length > MAX_PATH ||
    !path.every((key) => IDENTIFIER.test(key) || /^[\w:@ /-]{1,100}$/.test(key))
  ) {
    throw new RuleFault(`${name} is not the name of a field`)
  }
  return path
}

/** The log source of a rule. @throws RuleFault for a source without events in Akashi */
export function sourceOf(logsource: Readonly<Record<string, unknown>>): Source {
  const [product, service, category] = ['product', 'service', 'category'].map((key) => {
    const value = logsource[key]
    return typeof value === 'string' ? value.toLowerCase() : null
  })
  if (product === 'akashi') return ofTable(service ?? 'security_events')
  if (product === 'aws' && (service === 'cloudtrail' || service === null))
    return inDetails('cloudtrail', () => undefined)
  if (product === 'ocsf' || category === 'ocsf') return inDetails('ocsf', (name) => ocsfColumns[name])
  if (product === 'keycloak' || product === 'cognito') return inDetails(product, () => undefined)
  if (product === 'postgresql') {
    return service === 'trail'
      ? ofTable('audit_logs')
      : inDetails('postgresql', (name) => postgresqlColumns[name])
  }
  if (
    product === 'linux' &&
    (service === 'sshd' || service === 'auth' || service === 'sudo' || service === 'su')
  ) {
    return ofHost(service)
  }
  const names = [product, category, service].filter((name) => name !== null)
  throw new RuleFault(`Akashi has no events of ${names.join(' ') || 'an unnamed source'}`, ['logsource'])
}

function ofTable(name: string): Source {
  if (name !== 'security_events' && name !== 'audit_logs' && name !== 'login_attempts') {
    throw new RuleFault(`akashi has no log ${name}`, ['logsource', 'service'])
  }
  const groupBy = {
    security_events: ['user_id', 'source_ip'],
    audit_logs: ['user_id'],
    login_attempts: ['user_id', 'ip_address'],
  }
  return {
    table: name,
    filter: null,
    fields: fieldsOf(name, (field) => fieldOfTable(name, field)),
    groupBy: groupBy[name],
  }
}

function fieldsOf(
  table: SourceTable,
  field: (name: string) => Field,
  keywords: readonly Field[] = [],
): Fields {
  const own = tables[table].keywords.map((name) => fieldOfTable(table, name))
  return { field, keywords: [...own, ...keywords], time: fieldOfTable(table, 'created_at') }
}

const postgresqlColumns: Readonly<Record<string, string>> = {
  user: 'user_name',
  command: 'action_performed',
  object: 'resource_id',
  object_type: 'resource_type',
  message: 'description',
  application: 'client_name',
}

/** Events whose original is kept under a key of event_details. */
function inDetails(key: string, columnOf: (name: string) => string | undefined): Source {
  const details: Field = { column: 'event_details', type: 'json', path: [key] }
  const field = (name: string): Field => {
    if (name === 'created_at') return fieldOfTable('security_events', name)
    const column = columnOf(name)
    if (column !== undefined) return fieldOfTable('security_events', column)
    // Rules of every source can use the columns of the table by their names.
    if (Object.hasOwn(tables.security_events.columns, name) && name !== 'event_details')
      return fieldOfTable('security_events', name)
    return { ...details, path: [key, ...keys(name, name.split('.'))] }
  }
  const marks: Readonly<Record<string, string>> = {
    cloudtrail: 'eventName',
    ocsf: 'class_uid',
    keycloak: 'time',
    cognito: 'eventType',
    postgresql: 'database',
  }
  const filter: Expression =
    key === 'postgresql'
      ? like(fieldOfTable('security_events', 'source_service'), 'postgresql')
      : {
          op: 'not',
          of: { op: 'test', field: { ...details, path: [key, marks[key] ?? key] }, test: { kind: 'absent' } },
        }
  const keywords = key === 'cloudtrail' ? [field('eventName'), field('errorCode'), field('errorMessage')] : []
  return {
    table: 'security_events',
    filter:
      key === 'cognito' ? like(fieldOfTable('security_events', 'source_service'), 'cognito-idp') : filter,
    fields: fieldsOf('security_events', field, keywords),
    groupBy: ['user_name', 'source_ip'],
  }
}

/** The authentication log of a host: keywords are searched for in the messages. */
function ofHost(service: string): Source {
  const field = (name: string) => fieldOfTable('security_events', commonColumns[name.toLowerCase()] ?? name)
  const host = like(fieldOfTable('security_events', 'resource_type'), 'host')
  const filter: Expression =
    service === 'auth'
      ? host
      : { op: 'and', of: [host, like(fieldOfTable('security_events', 'source_service'), service)] }
  return {
    table: 'security_events',
    filter,
    fields: fieldsOf('security_events', field),
    groupBy: ['user_name', 'source_ip', 'resource_id'],
  }
}

function like(field: Field, value: string): Expression {
  return { op: 'test', field, test: { kind: 'like', pattern: [value], cased: true } }
}
