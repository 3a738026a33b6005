/** Events as rows of COPY's text format, with its back-pressure. */
import { once } from 'node:events'
import type { Session } from '../../postgres/index.ts'
import type { SecurityEvent } from '../event.ts'

type Column = keyof SecurityEvent

const columns = [
  'id',
  'created_at',
  'event_type',
  'event_category',
  'severity',
  'source_service',
  'description',
  'user_id',
  'user_name',
  'external_user_id',
  'session_id',
  'source_ip',
  'user_agent',
  'resource_type',
  'resource_id',
  'action_performed',
  'result',
  'tenant_id',
  'tenant_name',
  'client_id',
  'client_name',
  'request_id',
  'trace_id',
  'ocsf_class_uid',
  'event_details',
] as const satisfies readonly Column[]

/** Each write is a message to the server and its own system call: rows go together. */
const CHUNK_CHARACTERS = 65_536

/** The columns that any event of the batch fills; a log of one format leaves half of them empty. */
export function usedColumns(batch: readonly SecurityEvent[]): readonly Column[] {
  return columns.filter((column) => batch.some((event) => event[column] !== null))
}

/** Fills a table that has the columns of {@link usedColumns}, in their order. */
export async function copyEvents(
  session: Session,
  table: string,
  batch: readonly SecurityEvent[],
): Promise<void> {
  const used = usedColumns(batch)
  const copy = session.copyFrom(`copy ${table} (${used.join(', ')}) from stdin`)
  const finished = once(copy, 'finish')
  // The write below fails with the same error; without a handler this promise would be a second one.
  finished.catch(() => undefined)
  let chunk = ''
  for (const event of batch) {
    let separator = ''
    for (const column of used) {
      chunk += separator + field(event[column])
      separator = '\t'
    }
    chunk += '\n'
    if (chunk.length < CHUNK_CHARACTERS) continue
    if (!copy.write(chunk)) await Promise.race([once(copy, 'drain'), finished])
    chunk = ''
  }
  if (chunk !== '') copy.write(chunk)
  copy.end()
  await finished
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

function field(value: SecurityEvent[Column]): string {
  if (value === null) return '\\N'
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  // Few values hold any of them, and looking is much cheaper than replacing.
  if (!/[\\\t\n\r]/.test(text)) return text
  return text.replaceAll(/[\\\t\n\r]/g, (character) => escapes[character] ?? character)
}
