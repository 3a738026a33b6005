import { expect, it } from 'vitest'
import { describeTable } from '../support/catalog.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const worker = database.open('worker')

it('security events have the columns and indexes of their sources', async () => {
  const table = await database.asSuperuser((session) =>
    describeTable(session, 'akashi_security.security_events'),
  )
  expect(table.columns).toMatchObject({
    created_at: 'timestamp with time zone not null = now()',
    received_at: 'timestamp with time zone not null = clock_timestamp()',
    event_type: 'character varying(50) not null',
    event_category: 'character varying(50) not null',
    severity: 'character varying(20) not null',
    source_service: 'character varying(50) not null',
    description: 'text',
    user_id: 'text',
    user_name: 'text',
    external_user_id: 'text',
    session_id: 'text',
    source_ip: 'inet',
    user_agent: 'text',
    resource_type: 'character varying(50)',
    resource_id: 'character varying(255)',
    action_performed: 'character varying(100)',
    tenant_id: 'text',
    tenant_name: 'text',
    client_id: 'text',
    client_name: 'text',
    event_details: "jsonb not null = '{}'::jsonb",
  })
  expect(table.foreignKeys).toEqual([])
  expect(table.indexes).toEqual(
    expect.arrayContaining([
      'unique btree (id, created_at)',
      'btree (created_at DESC, id DESC)',
      'btree (xid, seq)',
      expect.stringMatching(/^brin \(event_type .*, source_ip .*, user_id .*, user_name .*\)/),
    ]),
  )
  expect(table.indexes).toHaveLength(4)
})

function record(category: string, severity: string): Promise<unknown> {
  return worker.transaction(tester, (session) =>
    session.query(
      `insert into akashi_security.security_events (event_type, event_category, severity, source_service)
       values ('checked', $1, $2, 'rds')`,
      [category, severity],
    ),
  )
}

it('takes the categories and severities of the sources and no others', async () => {
  for (const category of ['authentication', 'authorization', 'data_access', 'configuration']) {
    await record(category, 'info')
  }
  for (const severity of ['low', 'medium', 'high', 'critical']) await record('authentication', severity)
  await expect(record('weather', 'info')).rejects.toThrow()
  await expect(record('authentication', 'terrible')).rejects.toThrow()
})

it('tells of tampering who listens, and keeps it as an event', async () => {
  const heard = Promise.withResolvers<string>()
  await worker.direct(async (session) => {
    await session.listen('audit_tampering_detected', heard.resolve)
    await session.query(`select akashi_audit.alert_audit_log_tampering('{"log": "audit_logs"}')`)
    expect(JSON.parse(await heard.promise)).toEqual({
      severity: 'critical',
      message: expect.stringContaining('verification'),
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    })
  })
  const { rows } = await worker.transaction(tester, (session) =>
    session.query(
      `select severity, event_category, event_details from akashi_security.security_events where event_type = 'audit_log_tampering'`,
    ),
  )
  expect(rows).toEqual([
    { severity: 'critical', event_category: 'integrity', event_details: { log: 'audit_logs' } },
  ])
})
