/** A row of a log in the formats of the destinations. */
import type { Severity } from '@akashi/contract'

export interface Message {
  readonly position: number
  readonly id: string
  readonly log: 'security_events' | 'audit_logs'
  readonly at: string
  /** The columns of the row that are not null. */
  readonly row: Readonly<Record<string, unknown>>
}

const VERSION = '1.8.0'

const textOf = ({ row }: Message, column: string): string | undefined => {
  const value = row[column]
  return value === undefined ? undefined : String(value)
}

export function typeOf(message: Message): string {
  const { log } = message
  if (log === 'security_events') return textOf(message, 'event_type') ?? 'event'
  return [textOf(message, 'table_name') ?? textOf(message, 'event_type'), textOf(message, 'operation')]
    .filter((part) => part !== undefined)
    .join('.')
    .toLowerCase()
}

export function severityOf(message: Message): Severity {
  const severity = message.row['severity']
  return severity === 'low' || severity === 'medium' || severity === 'high' || severity === 'critical'
    ? severity
    : 'info'
}

/** One line for people. */
export function summaryOf(message: Message): string {
  const description = textOf(message, 'description')
  const subject = ['user_name', 'user_id', 'source_ip', 'ip_address', 'record_id'].flatMap(
    (column) => textOf(message, column) ?? [],
  )
  return [description ?? typeOf(message), ...new Set(subject)].join(', ').replaceAll(/[\r\n\0]+/g, ' ')
}

export function plainOf(message: Message): Record<string, unknown> {
  return { type: typeOf(message), timestamp: message.at, data: message.row }
}

const severityIds: Readonly<Record<Severity, number>> = { info: 1, low: 2, medium: 3, high: 4, critical: 5 }

/** OCSF 1.8 Detection Finding (2004). */
export function ocsfOf(message: Message): Record<string, unknown> {
  const time = Date.parse(message.at)
  const details = message.row['event_details']
  const severity = severityOf(message)
  const attack = isRecord(details) && Array.isArray(details['attack']) ? details['attack'].map(String) : []
  const observables = (
    [
      ['user_name', 'User Name', 4],
      ['source_ip', 'IP Address', 2],
    ] as const
  ).flatMap(([column, type, typeId]) => {
    const value = textOf(message, column)
    return value === undefined ? [] : [{ name: column, type, type_id: typeId, value }]
  })
  return {
    class_uid: 2004,
    class_name: 'Detection Finding',
    category_uid: 2,
    category_name: 'Findings',
    activity_id: 1,
    activity_name: 'Create',
    type_uid: 200401,
    time,
    severity_id: severityIds[severity],
    severity: severity === 'info' ? 'Informational' : severity[0]?.toUpperCase() + severity.slice(1),
    status_id: 1,
    status: 'New',
    message: summaryOf(message),
    metadata: {
      version: VERSION,
      uid: message.id,
      product: { name: 'Akashi', vendor_name: 'Akashi' },
      log_name: message.log,
    },
    finding_info: {
      uid: textOf(message, 'resource_type') === 'finding' ? textOf(message, 'resource_id') : message.id,
      title: textOf(message, 'description') ?? typeOf(message),
      types: [typeOf(message)],
      created_time: time,
      ...(attack.length === 0
        ? {}
        : { attacks: attack.map((uid) => ({ version: '17', technique: { uid } })) }),
    },
    ...(observables.length === 0 ? {} : { observables }),
    unmapped: message.row,
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Of RFC 5424: log audit. */
const FACILITY = 13
const priorities: Readonly<Record<Severity, number>> = { info: 6, low: 5, medium: 4, high: 3, critical: 2 }

/** RFC 5424, with the row as JSON behind a byte order mark. */
export function syslogOf(message: Message, host: string): string {
  const priority = FACILITY * 8 + priorities[severityOf(message)]
  const type = typeOf(message)
    .replaceAll(/[^!-~]/g, '_')
    .slice(0, 32)
  const at = new Date(message.at).toISOString()
  const data = `[akashi@32473 id="${message.id}" log="${message.log}" position="${message.position}"]`
  return `<${priority}>1 ${at} ${host} akashi - ${type} ${data} \ufeff${JSON.stringify(message.row)}`
}
