/** The audit queries of the requirements, with mapped names. */
import { beforeAll, describe, expect, it } from 'vitest'
import { type Actor, person } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const app = database.open('app')
const admin = database.open('security_admin')
const alice: Actor = person(
  { userId: '0199d3a0-0000-7000-8000-00000000000a' },
  { clientIp: '203.0.113.7', traceId: 'trace-1' },
)
const bob: Actor = person({ userId: '0199d3a0-0000-7000-8000-00000000000b' }, { clientIp: '203.0.113.8' })

beforeAll(async () => {
  await database.asSuperuser((session) =>
    session.query(`create table vault (id int primary key, n int); grant select, insert, update on vault to akashi_app;
      select akashi_audit.protect('vault', 'confidential')`),
  )
  for (const actor of [alice, bob]) {
    await app.transaction(actor, (session) =>
      session.query('insert into public.vault select coalesce(max(id), 0) + 1 from public.vault'),
    )
  }
  await app.transaction(alice, async (session) => {
    await session.query(
      "select akashi_audit.record_action('session', 'login', 'auth', 's-1', 'SUCCESS', '{\"method\": \"oidc\"}')",
    )
    for (let i = 0; i < 12; i += 1)
      await session.query('update public.vault set n = coalesce(n, 0) + 1 where id = 1')
  })
})

describe("S3: the audit log's query patterns", () => {
  it('lists the operations of a user in time', async () => {
    const { rows } = await admin.transaction(tester, (session) =>
      session.query(
        `SELECT id, action, resource, resource_id, detail, ip_address, created_at
         FROM akashi_audit.audit_logs
         WHERE user_id = $1
           AND created_at BETWEEN $2 AND $3
         ORDER BY created_at DESC
         LIMIT $4 OFFSET $5`,
        [alice.userId, '2020-01-01', '2100-01-01', 2, 12],
      ),
    )
    expect(rows).toMatchObject([
      {
        action: 'login',
        resource: 'auth',
        resource_id: 's-1',
        detail: { method: 'oidc' },
        ip_address: '203.0.113.7',
      },
      { action: 'insert' },
    ])
  })

  it('finds a trace', async () => {
    const { rows } = await admin.transaction(tester, (session) =>
      session.query(
        'SELECT id, user_id, action, resource, detail, created_at FROM akashi_audit.audit_logs WHERE trace_id = $1',
        ['trace-1'],
      ),
    )
    expect(rows).toHaveLength(14)
    expect(new Set(rows.map((row) => row['user_id']))).toEqual(new Set([alice.userId]))
  })
})

describe('the queries of the requirements on monitoring', () => {
  it('sums up the last 24 hours', async () => {
    await database
      .asSuperuser((session) =>
        session.query(
          `insert into akashi_audit.audit_logs (created_at, action, operation, table_name, context_verified) values (now() - interval '25 hours', 'update', 'UPDATE', 'vault', true)`,
        ),
      )
      .catch((error: unknown) => {
        // The month began less than 25 hours ago and has no partition before it.
        expect(error).toMatchObject({ code: 'invalid_input' })
      })
    const { rows } = await admin.transaction(tester, (session) =>
      session.query(
        `SELECT table_name, operation, data_classification, sum(operation_count)::integer AS operation_count, max(unique_users)::integer AS unique_users,
                max(unique_ips)::integer AS unique_ips, max(affected_users) AS affected_users
         FROM akashi_audit.v_security_audit_summary WHERE table_name = 'vault' GROUP BY 1, 2, 3 ORDER BY 2`,
      ),
    )
    expect(rows).toEqual([
      {
        table_name: 'vault',
        operation: 'INSERT',
        data_classification: 'confidential',
        operation_count: 2,
        unique_users: 2,
        unique_ips: 2,
        affected_users: [alice.userId, bob.userId],
      },
      {
        table_name: 'vault',
        operation: 'UPDATE',
        data_classification: 'confidential',
        operation_count: 12,
        unique_users: 1,
        unique_ips: 1,
        affected_users: [alice.userId],
      },
    ])
  })

  it('lists the latest hour first', async () => {
    const { rows } = await admin.transaction(tester, (session) =>
      session.query<{ audit_hour: string }>('SELECT * FROM akashi_audit.v_security_audit_summary'),
    )
    expect(rows.length).toBeGreaterThan(1)
    expect(rows.map((row) => row.audit_hour)).toEqual(
      rows
        .map((row) => row.audit_hour)
        .sort()
        .reverse(),
    )
    expect(Object.keys(rows[0] ?? {})).toEqual([
      'audit_hour',
      'table_name',
      'operation',
      'data_classification',
      'operation_count',
      'unique_users',
      'unique_ips',
      'affected_users',
    ])
  })

  it('sums up for an application user what they see themselves, and nothing for anonymous', async () => {
    const sum = (actor: Actor) =>
      app.transaction(actor, async (session) => {
        const { rows } = await session.query<{ sum: number | null }>(
          'SELECT sum(operation_count)::integer AS sum FROM akashi_audit.v_security_audit_summary',
        )
        return rows[0]?.sum
      })
    expect(await sum(bob)).toBe(1)
    expect(await sum(alice)).toBe(14)
    expect(await sum(tester)).toBeNull()
  })

  // The patterns of detect_audit_anomalies() as the source has them; the detectors that run are security's.
  it.each([
    [
      'bulk operations',
      "SELECT user_id, COUNT(*)::integer AS count FROM akashi_audit.audit_logs WHERE created_at > NOW() - INTERVAL '5 minutes' GROUP BY user_id HAVING COUNT(*) > 13 AND user_id IS NOT NULL",
      14,
    ],
    [
      'sensitive data',
      "SELECT user_id, COUNT(*)::integer AS count FROM akashi_audit.audit_logs WHERE created_at > NOW() - INTERVAL '1 hour' AND data_classification = 'confidential' GROUP BY user_id HAVING COUNT(*) > 10",
      13,
    ],
    [
      'hours',
      "SELECT user_id, COUNT(*)::integer AS count FROM akashi_audit.audit_logs WHERE created_at > NOW() - INTERVAL '1 hour' AND EXTRACT(hour FROM created_at) BETWEEN 0 AND 23 AND operation IN ('UPDATE', 'DELETE') GROUP BY user_id HAVING COUNT(*) > 5 AND user_id IS NOT NULL",
      12,
    ],
  ])('counts for anomalies: %s', async (_, query, count) => {
    const { rows } = await admin.transaction(tester, (session) => session.query(query))
    expect(rows).toEqual([{ user_id: alice.userId, count }])
  })
})
