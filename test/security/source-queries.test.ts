/** The queries of the sources over security events, with their names mapped, on the live table. */
import { beforeAll, describe, expect, it } from 'vitest'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const worker = database.open('worker')
const admin = database.open('security_admin')

/** An attacker with 120 failures at three accounts, somebody who mistyped twice, and last year's failure. */
beforeAll(async () => {
  const users = [1, 2, 3].map((n) => `0199d3a0-0000-7000-8000-00000000000${n}`)
  await worker.transaction(tester, async (session) => {
    await session.query(
      `select akashi_lifecycle.create_partitions('akashi_security.security_events', day, day)
       from unnest(array['2024-06-10', '2024-07-02', '2023-12-31']::timestamptz[]) day`,
    )
    const failure = `insert into akashi_security.security_events
      (created_at, event_type, event_category, severity, source_service, tenant_id, user_id, source_ip, event_details)
      select $1::timestamptz + n * interval '1 second', 'authentication_failure', 'authentication', 'low', 'idp', $2,
             ($3::uuid[])[1 + n % cardinality($3::uuid[])], $4, '{"reason": "password"}'
      from generate_series(1, $5) n`
    await session.query(failure, ['2024-06-10T01:00:00Z', 'tenant-a', users, '203.0.113.66', 120])
    await session.query(failure, ['2024-07-02T01:00:00Z', 'tenant-a', [users[0]], '192.0.2.1', 2])
    await session.query(failure, ['2023-12-31T23:00:00Z', 'tenant-a', [users[0]], '192.0.2.1', 1])
    await session.query(
      `insert into akashi_security.security_events (created_at, event_type, event_category, severity, source_service, tenant_id, user_id)
       select '2024-06-10T05:00:00Z', 'authentication_success', 'authentication', 'info', 'idp', 'tenant-b', $1::uuid
       from generate_series(1, 3)`,
      [users[1]],
    )
  })
})

async function ask(query: string): Promise<Record<string, unknown>[]> {
  const { rows } = await admin.transaction(tester, (session) => session.query(query))
  return rows
}

describe('the archive requirements', () => {
  it('lists the failed logins of a tenant in a year, newest first', async () => {
    const rows = await ask(
      `SELECT tenant_id, user_id, created_at, event_details AS detail
       FROM akashi_security.security_events
       WHERE created_at >= '2024-01-01' AND created_at < '2025-01-01'
         AND event_type = 'authentication_failure' AND tenant_id = 'tenant-a'
       ORDER BY created_at DESC LIMIT 100`,
    )
    expect(rows).toHaveLength(100)
    expect(rows[0]).toEqual({
      tenant_id: 'tenant-a',
      user_id: '0199d3a0-0000-7000-8000-000000000001',
      created_at: '2024-07-02T01:00:02.000000Z',
      detail: { reason: 'password' },
    })
  })

  it('counts the events of a month by tenant and type', async () => {
    const rows = await ask(
      `SELECT tenant_id, event_type AS type, COUNT(*)::integer AS event_count
       FROM akashi_security.security_events
       WHERE created_at >= '2024-06-01' AND created_at < '2024-07-01'
       GROUP BY tenant_id, event_type ORDER BY event_count DESC`,
    )
    expect(rows).toEqual([
      { tenant_id: 'tenant-a', type: 'authentication_failure', event_count: 120 },
      { tenant_id: 'tenant-b', type: 'authentication_success', event_count: 3 },
    ])
  })

  it('finds suspicious addresses', async () => {
    const rows = await ask(
      `SELECT source_ip AS ip_address, COUNT(DISTINCT user_id)::integer AS affected_users, COUNT(*)::integer AS attempt_count
       FROM akashi_security.security_events
       WHERE event_type = 'authentication_failure' AND created_at >= '2024-01-01'
       GROUP BY source_ip HAVING COUNT(*) > 100 ORDER BY attempt_count DESC`,
    )
    expect(rows).toEqual([{ ip_address: '203.0.113.66', affected_users: 3, attempt_count: 120 }])
  })
})

describe('the requirements on events', () => {
  it('lists what is open, under the names of the source', async () => {
    const rows = await ask(
      `SELECT id, event_type, event_category, severity, source_service, user_id, session_id, source_ip, user_agent, resource_type,
              resource_id, action_performed, event_details, security_hub_id, remediation_status, remediation_notes, created_at, resolved_at
       FROM akashi_security.v_security_events WHERE remediation_status = 'open' AND severity = 'info'`,
    )
    expect(rows).toHaveLength(3)
    expect(rows[0]).toMatchObject({ security_hub_id: null, remediation_notes: null, resolved_at: null })
  })

  // The counts of detect_security_anomalies() as the source has them, by received_at; the detectors that
  // run, per address and account, are for those who operate.
  it('counts failed logins of five minutes, and the reads of each user', async () => {
    const failures = await ask(
      `SELECT COUNT(*)::integer AS failed_attempts FROM akashi_security.security_events
       WHERE event_type = 'authentication_failure' AND received_at > NOW() - INTERVAL '5 minutes' AND source_ip IS NOT NULL`,
    )
    expect(failures).toEqual([{ failed_attempts: 123 }])
    const reads = await ask(
      `SELECT user_id, COUNT(*)::integer AS access_count, array_agg(DISTINCT resource_type) AS resources
       FROM akashi_security.security_events WHERE event_category = 'data_access' AND received_at > NOW() - INTERVAL '1 hour'
       GROUP BY user_id HAVING COUNT(*) > 100`,
    )
    expect(reads).toEqual([])
  })

  it('tells which resolved events its 90 days would mark as archived', async () => {
    const rows = await ask(
      `SELECT DISTINCT archive_status, retention_period FROM akashi_security.v_security_events WHERE created_at < '2025-01-01'`,
    )
    expect(rows).toEqual([{ archive_status: 'due', retention_period: 2555 }])
  })

  it('marks events as archived 90 days after they were resolved, and leaves the sealed row alone', async () => {
    const marked = `SELECT archived, event_details ? 'archived' AS written FROM akashi_security.v_security_events WHERE id = $1`
    const [event] = await ask(
      'SELECT id, created_at FROM akashi_security.security_events ORDER BY seq LIMIT 1',
    )
    const state = () =>
      database.asSuperuser(async (session) => (await session.query(marked, [event?.['id']])).rows)
    const resolve = (status: string, daysAgo: number) =>
      database.asSuperuser(async (session) => {
        await session.query('set session_replication_role = replica')
        await session.query(
          `insert into akashi_security.remediations (event_id, event_created_at, severity, remediation_status, resolved_at)
           values ($1, $2, 'low', $3, now() - make_interval(days => $4))
           on conflict (event_id, event_created_at) do update set remediation_status = $3, resolved_at = excluded.resolved_at`,
          [event?.['id'], event?.['created_at'], status, daysAgo],
        )
      })
    expect(await state()).toEqual([{ archived: false, written: false }])
    await resolve('resolved', 89)
    expect(await state()).toEqual([{ archived: false, written: false }])
    await resolve('resolved', 91)
    expect(await state()).toEqual([{ archived: true, written: false }])
  })
})
