/** Policies are rows that those who administer change, and the trail says what was changed. */
import { describe, expect, test } from 'vitest'
import { describeShortening, listPolicies, pendingShortenings, setPolicy } from '../../src/lifecycle/index.ts'
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
  [{ hot: '10 years' }, 'invalid_input', /must not be shorter than the hot retention/],
  [{ total: '293000 years' }, 'invalid_input', /at most 1000 years/],
  [{ lateness: '293000 years' }, 'invalid_input', /at most 1000 years/],
  [{ total: '30 days' }, 'invalid_input', /must not be shorter than the hot retention/],
  [{ hot: '0 days' }, 'invalid_input', /at least one day/],
  [{ hot: 'a while' }, 'invalid_input', /a duration in the policy is not valid/],
  [{ lateness: '-1 day' }, 'invalid_input', /not valid/],
  [{ interval: 'month' as const }, 'conflict', /cannot be changed/],
  [{}, 'invalid_input', /nothing to change/],
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
  // What was kept for ever is not deleted at once because it is not any more.
  expect(await setPolicy(worker, tester, events, { atExpiry: 'archive' })).toMatchObject({
    atExpiry: 'keep',
    shortening: { atExpiry: 'archive', total: 'P2555D' },
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

describe('a shorter retention of a log', () => {
  const attempts = { schema: 'akashi_auth', table: 'login_attempts' } as const
  const asSuperuser = (text: string) => database.asSuperuser((session) => session.query(text))
  const apply = () =>
    worker.transaction(tester, (session) => session.query('select akashi_lifecycle.apply_shortenings()'))
  const policy = () => policyOf('akashi_audit.audit_logs')
  const logs = { schema: 'akashi_audit', table: 'audit_logs' } as const

  test.each(['worker', 'security_admin', 'owner'] as const)(
    'is refused below the minimum, for %s',
    async (role) => {
      for (const total of ['179 days', '1 day']) {
        const refused = setPolicy(database.open(role), tester, attempts, { hot: '1 day', total })
        await expect(refused).rejects.toMatchObject({
          code: 'conflict',
          message: expect.stringContaining('180 days'),
        })
      }
      if (role === 'owner') return
      for (const change of [
        "update akashi_lifecycle.settings set value = '1' where key = 'retention.floor_days'",
        'update akashi_lifecycle.shortenings set effective_at = now()',
      ]) {
        await expect(
          database.open(role).transaction(tester, (session) => session.query(change)),
        ).rejects.toMatchObject({ code: 'forbidden' })
      }
    },
  )

  test('is deferred, raises an alarm meanwhile, and can be withdrawn', async () => {
    const admin = database.open('security_admin')
    const requested = await setPolicy(
      admin,
      tester,
      logs,
      { hot: '200 days', total: '200 days' },
      'disk is full',
    )
    expect(requested).toMatchObject({
      hot: 'P200D',
      total: 'P2555D',
      shortening: {
        total: 'P200D',
        atExpiry: 'archive',
        requestedBy: 'akashi_security_admin',
        reason: 'disk is full',
      },
    })
    expect(await apply()).toMatchObject({ rows: [{ apply_shortenings: 0 }] })
    expect(await policy()).toMatchObject({ total: 'P2555D' })
    const { rows: events } = await asSuperuser(
      `select severity, resource_id, event_details ->> 'to' as "to", event_details ->> 'requested_by' as by
       from akashi_security.security_events where event_type = 'retention_shortened' and resource_id like '%audit_logs'`,
    )
    expect(events).toEqual([
      {
        severity: 'critical',
        resource_id: 'akashi_audit.audit_logs',
        to: 'P200D',
        by: 'akashi_security_admin',
      },
    ])
    expect((await pendingShortenings(worker, tester)).map(describeShortening)).toContainEqual(
      expect.stringMatching(
        /^akashi_security_admin shortened the retention of akashi_audit.audit_logs from P2555D to P200D/,
      ),
    )
    // Nothing is recorded as retired before it is.
    const early = worker.transaction(tester, (session) =>
      session.query(
        `select akashi_audit.record_retention('audit_logs', 'p', now() - interval '400 days', now() - interval '300 days', 0, 0, 1,
           sha256(''), 'x', 'x')`,
      ),
    )
    await expect(early).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('are kept'),
    })

    expect(await setPolicy(worker, tester, logs, { total: '2555 days' })).toMatchObject({ shortening: null })
    await setPolicy(admin, tester, logs, { total: '200 days' })
    await asSuperuser('update akashi_lifecycle.shortenings set effective_at = now()')
    await apply()
    expect(await policy()).toMatchObject({ total: 'P200D', shortening: null })
    const { rows } = await asSuperuser(
      "select retention_set_by as by from akashi_lifecycle.policies where table_name = 'audit_logs'",
    )
    expect(rows).toEqual([{ by: 'akashi_security_admin' }])
  })
})
