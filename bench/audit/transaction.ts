/** The transaction that every client repeats: it begins as the driver does, inserts one row and commits. */
import { type Database, person } from '../../src/postgres/index.ts'
import type { Statement } from '../lean-client.ts'
import type { Table } from './schema.ts'

const contextSettings = [
  ...['current_user_id', 'current_session_id', 'subject', 'client_ip', 'user_agent', 'request_id'],
  ...['trace_id', 'correlation_id', 'api_endpoint', 'application_version', 'tenant_id'],
  ...['context_expires', 'context_key', 'context_signature'],
].map((name) => `app.${name}`)

const actor = person(
  {
    userId: '0199d3a0-0000-7000-8000-000000000001',
    sessionId: '0199d3a0-0000-7000-8000-000000000002',
    tenantId: 'tenant-1',
  },
  {
    clientIp: '203.0.113.7',
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36',
    requestId: 'a1b2c3d4-0000-4000-8000-000000000003',
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    apiEndpoint: 'POST /v1/orders',
    applicationVersion: '1.2.3',
  },
)

const BEGIN: Statement = { text: 'begin isolation level read committed read write' }
export const COMMIT: Statement = { text: 'commit' }

/** Begins a transaction without an actor or settings. */
export const plainBegin: readonly Statement[] = [BEGIN]

/** Begins a transaction as the driver does: settings pinned, and a context that was signed now and counts for 30 seconds. */
export async function signedBegin(application: Database): Promise<readonly Statement[]> {
  const settings = await application.transaction(actor, async (session) => {
    const { rows } = await session.query<{ name: string; value: string }>(
      `select name, coalesce(current_setting(name, true), '') as value from unnest($1::text[]) name`,
      [contextSettings],
    )
    return rows
  })
  const pinned =
    "set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO, YMD', true), set_config('intervalstyle', 'iso_8601', true), " +
    "set_config('bytea_output', 'hex', true), set_config('idle_in_transaction_session_timeout', '60000', true)"
  return [
    BEGIN,
    {
      text: `select ${pinned}, ${settings
        .map(({ name }, i) => `set_config('${name}', $${i + 1}, true)`)
        .join(', ')}, set_config('statement_timeout', '30000', true)`,
      values: settings.map(({ value }) => value),
    },
    { text: 'select akashi_auth.accept_context()' },
  ]
}

export function insertInto(table: Table, customer: number): Statement {
  return {
    text: `insert into public.${table} (customer, amount, note) values ($1, $2, $3)`,
    values: [String(customer), '12.50', 'two boxes of green tea'],
  }
}
