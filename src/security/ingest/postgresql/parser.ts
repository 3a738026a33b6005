import {
  ACTION_CHARACTERS,
  DESCRIPTION_CHARACTERS,
  fit,
  NAME_CHARACTERS,
  RESOURCE_ID_CHARACTERS,
  RESOURCE_TYPE_CHARACTERS,
} from '../../event.ts'
import { normaliseAddress } from '../address.ts'
import { BLANK } from '../blank.ts'
import type { LineParser } from '../format.ts'
import { readKind, withoutSecrets } from './kinds.ts'
import { readRecord } from './record.ts'
import { createLogTime } from './time.ts'

/**
 * Parses the csvlog and the jsonlog of a PostgreSQL server: connections, refusals, statements, and what pgaudit writes
 * there. Passwords in statements are left out.
 */
export function createPostgresqlParser(timezone: string | null): LineParser {
  const timeOf = createLogTime(timezone)
  return (text) => {
    const record = readRecord(text)
    if (typeof record === 'string') return record
    const time = timeOf(record.time)
    if (time === null) return `the time zone of ${record.time.slice(0, 40)} is ambiguous; give --timezone`
    const facts = readKind(record)
    if (typeof facts === 'string') return facts
    const { user, database, session, application, sqlState, detail, backend } = record
    const details: Record<string, unknown> = { session, ...facts.details }
    if (sqlState !== null && sqlState !== '00000') details['sql_state'] = sqlState
    if (detail !== null) details['detail'] = withoutSecrets(detail)
    if (backend !== null) details['backend'] = backend
    if (record.statement !== null) details['statement'] ??= withoutSecrets(record.statement)
    return [
      {
        event: {
          ...BLANK,
          event_type: facts.type,
          event_category: facts.category,
          severity: facts.severity,
          source_service: 'postgresql',
          description: fit(withoutSecrets(record.message), DESCRIPTION_CHARACTERS),
          user_name: fit(user ?? facts.user, NAME_CHARACTERS),
          source_ip: normaliseAddress(record.host ?? ''),
          resource_type: fit(facts.objectType ?? 'database', RESOURCE_TYPE_CHARACTERS),
          resource_id: fit(facts.objectName ?? database, RESOURCE_ID_CHARACTERS),
          action_performed: fit(facts.action, ACTION_CHARACTERS),
          result: facts.result,
          client_name: fit(application, NAME_CHARACTERS),
          ocsf_class_uid: facts.ocsfClass,
          event_details: { postgresql: { database, ...details } },
          created_at: time,
        },
        id: null,
        key: session === null || record.line === null ? null : `${session} ${record.line}`,
      },
    ]
  }
}
