/** One line about a row. */
import type { CheckedRow } from '@akashi/client/evidence'

export function textOf(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : (value ?? []).join(', ')
}

export function whatOf(log: string, row: CheckedRow['row']): string {
  const table = textOf(row['table_name'])
  const place = table === '' ? textOf(row['resource']) : `${textOf(row['schema_name'])}.${table}`
  const record = textOf(row['record_id']) || textOf(row['resource_id'])
  const words = [row['action'] ?? row['operation'], row['event_type'], row['result']].map(textOf)
  return [log, ...new Set(words), place, record].filter((word) => word !== '').join(' · ')
}

export function whoOf(row: CheckedRow['row']): string {
  return ['user_id', 'subject', 'username', 'source_ip', 'ip_address', 'db_user']
    .map((name) => textOf(row[name]))
    .filter((word) => word !== '')
    .slice(0, 2)
    .join(' · ')
}
