import { expect, it } from 'vitest'
import { logs } from '../../src/audit/index.ts'
import { person } from '../../src/postgres/index.ts'
import { describeTable } from '../support/catalog.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const app = database.open('app')
const worker = database.open('worker')

it('the trail has the columns of its sources', async () => {
  const table = await database.asSuperuser((session) => describeTable(session, 'akashi_audit.audit_logs'))
  expect(table.columns).toMatchObject({
    created_at: 'timestamp with time zone not null = clock_timestamp()',
    user_id: 'text',
    session_id: 'text',
    ip_address: 'inet',
    user_agent: 'text',
    event_type: "text not null = 'data_change'::text",
    action: 'text not null',
    resource: 'text',
    resource_id: 'text',
    result: "text not null = 'SUCCESS'::text",
    error_code: 'text',
    error_message: 'text',
    table_name: 'text',
    operation: 'text',
    record_id: 'text',
    old_values: 'jsonb',
    new_values: 'jsonb',
    changed_fields: 'text[]',
    detail: 'jsonb',
    api_endpoint: 'text',
    request_id: 'text',
    trace_id: 'text',
    correlation_id: 'text',
    application_version: 'text',
    data_classification: "text not null = 'internal'::text",
    compliance_context: 'jsonb',
  })
  expect(table.columns['id']).toMatch(/^uuid not null = /)
  expect(table.foreignKeys).toEqual([])
  expect(table.indexes).toContain('unique btree (id, created_at)')
  expect(table.indexes).toContain('btree (record_id, table_name)')
})

it('keeps everything that the context says about a request', async () => {
  const who = {
    userId: '0199d3a0-0000-7000-8000-000000000001',
    sessionId: '0199d3a0-0000-7000-8000-000000000002',
  }
  const origin = {
    clientIp: '192.0.2.7',
    userAgent: 'a browser',
    requestId: 'request-1',
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    correlationId: 'correlation-1',
    apiEndpoint: '/v1/reports',
    applicationVersion: '1.2.3',
  }
  await app.transaction(person(who, origin), (session) =>
    session.query(
      `select akashi_audit.record_action('report_exported', 'export', 'reports', '7', 'FAILURE', '{"pages": 3}',
         error_code => 'E7', error_message => 'no paper', compliance_context => '{"law": "APPI"}')`,
    ),
  )
  const { rows } = await worker.transaction(tester, (session) =>
    session.query(
      `select user_id, session_id, ip_address, user_agent, request_id, trace_id, correlation_id, api_endpoint,
         application_version, event_type, action, resource, resource_id, result, detail, error_code, error_message,
         compliance_context from akashi_audit.audit_logs where event_type = 'report_exported'`,
    ),
  )
  expect(rows).toEqual([
    {
      user_id: who.userId,
      session_id: who.sessionId,
      ip_address: origin.clientIp,
      user_agent: origin.userAgent,
      request_id: origin.requestId,
      trace_id: origin.traceId,
      correlation_id: origin.correlationId,
      api_endpoint: origin.apiEndpoint,
      application_version: origin.applicationVersion,
      event_type: 'report_exported',
      action: 'export',
      resource: 'reports',
      resource_id: '7',
      result: 'FAILURE',
      detail: { pages: 3 },
      error_code: 'E7',
      error_message: 'no paper',
      compliance_context: { law: 'APPI' },
    },
  ])
})

it('the database and the program have the same logs', async () => {
  const { rows } = await worker.transaction(tester, (session) =>
    session.query(
      'select log, schema_name as schema, table_name as "table" from akashi_audit.logs order by log',
    ),
  )
  expect(rows).toEqual(
    logs.map(({ log, schema, table }) => ({ log, schema, table })).sort((a, b) => a.log.localeCompare(b.log)),
  )
})
