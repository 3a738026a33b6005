/** Policies are rows that those who administer change, and the trail says what was changed. */
import { expect, test } from 'vitest'
import { listPolicies, setPolicy } from '../../src/lifecycle/index.ts'
import type { DatabaseRole } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const worker = database.open('worker')
const events = { schema: 'akashi_security', table: 'security_events' } as const

const policyOf = async (table: string) =>
  (await listPolicies(worker, tester)).find((each) => each.table === table)

test('what is named is changed, the rest stays, and the trail has both sides and the reason', async () => {
  const before = await policyOf('akashi_security.security_events')
  const changed = await setPolicy(worker, tester, events, { hot: '120 days', ahead: 400 }, 'ticket 12')
  expect(changed).toEqual({
    ...before,
    hot: 'P120D',
    ahead: 400,
    changedAt: expect.any(String),
    changedBy: 'akashi_worker',
  })
  expect(await policyOf('akashi_security.security_events')).toEqual(changed)
  const { rows } = await database.asSuperuser((session) =>
    session.query(`select event_type, action, resource, detail from akashi_audit.audit_logs
      where resource = 'akashi_security.security_events' and event_type = 'lifecycle_policy'`),
  )
  expect(rows).toEqual([
    {
      event_type: 'lifecycle_policy',
      action: 'set',
      resource: 'akashi_security.security_events',
      detail: {
        changes: { hot_retention: '120 days', premake: 400 },
        before: { hot_retention: 'P90D', premake: 30 },
        reason: 'ticket 12',
      },
    },
  ])
  const rowChange = await database.asSuperuser((session) =>
    session.query<{ fields: string[] }>(`select changed_fields as fields from akashi_audit.audit_logs
      where schema_name = 'akashi_lifecycle' and table_name = 'policies' and operation = 'UPDATE' order by xid desc, seq desc limit 1`),
  )
  expect(rowChange.rows[0]?.fields).toEqual(expect.arrayContaining(['hot_retention', 'premake']))
})

test.each([
  [{ ahead: 7 }, 'invalid_input', /8 to 1200 days ahead/],
  [{ hot: '10 years' }, 'invalid_input', /kept at least as long/],
  [{ total: '30 days' }, 'invalid_input', /kept at least as long/],
  [{ hot: '0 days' }, 'invalid_input', /a day at least/],
  [{ hot: 'a while' }, 'invalid_input', /a duration in the policy is not valid/],
  [{ lateness: '-1 day' }, 'invalid_input', /not one/],
  [{ interval: 'month' as const }, 'conflict', /cannot be changed/],
  [{}, 'invalid_input', /nothing is to be changed/],
])('%j is refused', async (changes, code, message) => {
  const before = await policyOf('akashi_security.security_events')
  await expect(setPolicy(worker, tester, events, changes)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  })
  expect(await policyOf('akashi_security.security_events')).toEqual(before)
})

test.each([
  ['akashi_security', 'no_such_table', 'not_found'],
  ['akashi_auth', 'users', 'not_found'],
])('%s.%s has no policy to change', async (schema, table, code) => {
  await expect(setPolicy(worker, tester, { schema, table }, { hot: '1 year' })).rejects.toMatchObject({
    code,
  })
})

test('the archive is switched off and on, hold and append_only are not among the changes', async () => {
  expect(await setPolicy(worker, tester, events, { atExpiry: 'keep' })).toMatchObject({ atExpiry: 'keep' })
  expect(await setPolicy(worker, tester, events, { atExpiry: 'archive' })).toMatchObject({
    atExpiry: 'archive',
  })
  for (const changes of ['{"legal_hold": false}', '{"append_only": false}', '{"x": 1}', '[]']) {
    await expect(
      worker.transaction(tester, (session) =>
        session.query("select akashi_lifecycle.set_policy('akashi_security', 'security_events', $1::jsonb)", [
          changes,
        ]),
      ),
    ).rejects.toMatchObject({ code: 'invalid_input' })
  }
})

test('a partitioned table gets a policy', async () => {
  await database.asSuperuser((session) =>
    session.query(`set role akashi_owner;
      create table akashi_lifecycle.readings (id integer, created_at timestamptz not null, primary key (id, created_at)) partition by range (created_at);
      grant select on akashi_lifecycle.readings to akashi_worker`),
  )
  const name = { schema: 'akashi_lifecycle', table: 'readings' }
  await expect(setPolicy(worker, tester, name, { hot: '1 year' })).rejects.toMatchObject({
    code: 'not_found',
  })
  const policy = await setPolicy(worker, tester, name, {
    interval: 'month',
    hot: '1 year',
    total: '3 years',
    atExpiry: 'archive',
  })
  expect(policy).toMatchObject({ ahead: 3, hot: 'P1Y', total: 'P3Y', appendOnly: false, legalHold: false })
})

test.each<[Exclude<DatabaseRole, 'owner' | 'backup'>, boolean]>([
  ['worker', true],
  ['security_admin', true],
  ['app', false],
  ['reader', false],
])('%s may change policies: %s', async (role, allowed) => {
  const change = setPolicy(database.open(role), tester, events, { lateness: '7 days' })
  if (allowed) expect(await change).toMatchObject({ lateness: 'P7D' })
  else await expect(change).rejects.toMatchObject({ code: 'forbidden' })
  const direct = database
    .open(role)
    .transaction(tester, (session) =>
      session.query("update akashi_lifecycle.policies set hot_retention = '1 day'"),
    )
  await expect(direct).rejects.toMatchObject({ code: 'forbidden' })
})
