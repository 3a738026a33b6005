import { beforeAll, expect, it } from 'vitest'
import { person } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const app = database.open('app')
const reader = database.open('reader')
const alice = person(
  { userId: '0199d3a0-0000-7000-8000-00000000000a' },
  { clientIp: '203.0.113.7', userAgent: 'Firefox of Alice' },
)

beforeAll(async () => {
  await database.asSuperuser((session) =>
    session.query(`create table vault (id int primary key, name text); grant select, insert, update on vault to akashi_app;
      select akashi_audit.protect('vault', 'confidential')`),
  )
  await app.transaction(alice, async (session) => {
    await session.query("insert into public.vault values (1, 'Suzuki Hanako')")
    await session.query("update public.vault set name = 'Sato Hanako'")
    await session.query(
      `select akashi_audit.record_action('data_access', 'read', 'vault', '1', 'SUCCESS', '{"why": "Hanako"}')`,
    )
  })
})

it('an auditor reads the trail with the column names of the sources', async () => {
  const { rows } = await reader.transaction(tester, (session) =>
    session.query(
      `select table_name, operation, record_id, changed_fields, cognito_user_id, host(ip_address) as ip_address, action, resource_id,
              data_classification, retention_period, archive_status
       from akashi_audit.v_audit_logs_masked where user_id = $1 order by created_at`,
      [alice.userId],
    ),
  )
  const common = {
    cognito_user_id: alice.userId,
    ip_address: '203.0.113.7',
    retention_period: 2555,
    archive_status: 'active',
  }
  expect(rows).toMatchObject([
    {
      ...common,
      table_name: 'vault',
      operation: 'INSERT',
      record_id: '1',
      data_classification: 'confidential',
    },
    { ...common, table_name: 'vault', operation: 'UPDATE', record_id: '1', changed_fields: ['name'] },
    { ...common, table_name: null, operation: null, action: 'read', resource_id: '1' },
  ])
})

it('shows an auditor no values of rows', async () => {
  const { rows } = await reader.transaction(tester, (session) =>
    session.query<{ text: string }>('select v::text as text from akashi_audit.v_audit_logs_masked v'),
  )
  const text = rows.map((row) => row.text).join('\n')
  expect(text).toContain('vault')
  for (const value of ['Hanako', 'Firefox']) expect(text).not.toContain(value)
})

it.each([
  'old_values',
  'new_values',
  'detail',
  'user_agent',
  'subject',
  'data_subject',
  'error_message',
  'salt',
  '*',
])('refuses an auditor %s of the trail itself', async (column) => {
  await expect(
    reader.transaction(tester, (session) =>
      session.query(`select ${column} from akashi_audit.audit_logs limit 1`),
    ),
  ).rejects.toMatchObject({ code: 'forbidden' })
})

it('says that a row past its hot retention is due', async () => {
  await database.asSuperuser(async (session) => {
    await session.query(
      "select akashi_lifecycle.create_partitions('akashi_audit.audit_logs', '2020-01-01', '2020-01-02')",
    )
    await session.query(
      "insert into akashi_audit.audit_logs (created_at, action, resource, context_verified) values ('2020-01-01', 'read', 'old', true)",
    )
  })
  const { rows } = await reader.transaction(tester, (session) =>
    session.query("select archive_status from akashi_audit.v_audit_logs_masked where resource = 'old'"),
  )
  expect(rows).toEqual([{ archive_status: 'due' }])
})
