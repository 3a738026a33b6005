import { beforeAll, describe, expect, it } from 'vitest'
import { person } from '../../src/postgres/index.ts'
import { eventTimeline, readEvent, remediate, searchEvents } from '../../src/security/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const worker = database.open('worker')
const admin = database.open('security_admin')

const EVENTS = 240
const severities = ['info', 'low', 'medium', 'high', 'critical'] as const
/** One a minute from midnight on, by one of four users from one of three addresses; the last two of one moment. */
const day = '2026-03-01T00:00:00.000Z'
const at = (minute: number) => new Date(Date.parse(day) + minute * 60_000).toISOString()

interface Made {
  readonly id: string
  readonly minute: number
}
const made: Made[] = []

beforeAll(async () => {
  await worker.transaction(tester, async (session) => {
    await session.query(
      `select akashi_lifecycle.create_partitions('akashi_security.security_events', $1::timestamptz, $2::timestamptz)`,
      [day, at(60 * 24 * 3)],
    )
    for (let n = 0; n < EVENTS; n += 1) {
      const minute = n === EVENTS - 1 ? n - 1 : n
      const { rows } = await session.query<{ id: string }>(
        `insert into akashi_security.security_events (created_at, event_type, event_category, severity, source_service, user_name, source_ip,
           tenant_id, result, description, event_details)
         values ($1, $2, 'authentication', $3, 'sshd', $4, $5, $6, $7, $8, $9) returning id`,
        [
          at(minute),
          n % 3 === 0 ? 'authentication_failure' : 'authentication_success',
          severities[n % 5],
          `user-${n % 4}`,
          n % 2 === 0 ? `192.0.2.${n % 6}` : '2001:db8::7',
          n % 10 === 0 ? 'tenant-a' : null,
          n % 3 === 0 ? 'failure' : 'success',
          n === 17 ? 'A strange 50%_\\ thing' : null,
          n === 18 ? JSON.stringify({ note: 'quoted "word" 日本' }) : '{}',
        ],
      )
      made.push({ id: rows[0]?.id ?? '', minute })
    }
  })
})

const range = { from: day, to: at(60 * 24) }

describe('searchEvents', () => {
  it('gives every event once, newest first, whatever the size of a page', async () => {
    for (const limit of [1, 7, 100, 500]) {
      const seen: { id: string; createdAt: string }[] = []
      let cursor: string | null = null
      let pages = 0
      do {
        const page = await searchEvents(admin, tester, {
          ...range,
          limit,
          ...(cursor === null ? {} : { cursor }),
        })
        seen.push(...page.rows)
        cursor = page.next
        pages += 1
      } while (cursor !== null && pages <= EVENTS)
      expect(new Set(seen.map(({ id }) => id)).size).toBe(EVENTS)
      expect(seen).toHaveLength(EVENTS)
      const keys = seen.map(({ id, createdAt }) => `${createdAt} ${id}`)
      expect(keys).toEqual(keys.toSorted().toReversed())
      if (limit === 1) expect(pages).toBe(EVENTS)
    }
  })

  it.each([
    ['type', { type: 'authentication_failure' }, (n: number) => n % 3 === 0],
    ['severity', { severity: 'high' as const }, (n: number) => n % 5 === 3],
    ['least severity', { minSeverity: 'high' as const }, (n: number) => n % 5 >= 3],
    ['user name', { userName: 'user-2' }, (n: number) => n % 4 === 2],
    ['address', { address: '192.0.2.4' }, (n: number) => n % 6 === 4],
    ['network', { address: '2001:db8::/32' }, (n: number) => n % 2 === 1],
    ['tenant', { tenantId: 'tenant-a' }, (n: number) => n % 10 === 0],
    ['result and service', { result: 'success' as const, service: 'sshd' }, (n: number) => n % 3 !== 0],
    ['time', { from: at(10), to: at(20) }, (n: number) => n >= 10 && n < 20],
    ['another service', { service: 'nobody' }, () => false],
  ])('narrows by %s', async (_, filter, fits) => {
    const { rows } = await searchEvents(admin, tester, { ...range, ...filter, limit: 500 })
    const expected = made.filter((_, n) => fits(n)).map(({ id }) => id)
    expect(rows.map(({ id }) => id).toSorted()).toEqual(expected.toSorted())
  })

  it.each([
    ['50%_\\ TH', 17],
    ['"word" 日', 18],
  ])('finds the text %s', async (text, n) => {
    const { rows } = await searchEvents(admin, tester, { ...range, text })
    expect(rows.map(({ id }) => id)).toEqual([made[n]?.id])
  })

  it('names every mistake of a filter', async () => {
    const wrong = searchEvents(admin, tester, {
      from: 'yesterday',
      address: 'host.example',
      limit: 0,
      text: 'x'.repeat(300),
      userId: '',
    })
    await expect(wrong).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringMatching(/from .*userId .*address .*text .*limit/),
    })
    await expect(searchEvents(admin, tester, { text: 'x' })).rejects.toThrow('requires a time range')
    await expect(searchEvents(admin, tester, { cursor: 'eA' })).rejects.toThrow('cursor')
  })

  it('is refused to the application', async () => {
    await expect(searchEvents(database.open('app'), tester, {})).rejects.toMatchObject({ code: 'forbidden' })
  })
})

describe('eventTimeline', () => {
  it('counts what a plain count counts, and shows empty intervals', async () => {
    const timeline = await eventTimeline(admin, tester, { from: day, to: at(300), interval: '1h' })
    expect(timeline.buckets.map(({ at: begin, count }) => [begin, count])).toEqual([
      ['2026-03-01T00:00:00.000000Z', 60],
      ['2026-03-01T01:00:00.000000Z', 60],
      ['2026-03-01T02:00:00.000000Z', 60],
      ['2026-03-01T03:00:00.000000Z', 60],
      ['2026-03-01T04:00:00.000000Z', 0],
    ])
    expect(timeline.total).toBe(EVENTS)
    expect(timeline.buckets[0]?.severities).toEqual({ info: 12, low: 12, medium: 12, high: 12, critical: 12 })
  })

  it('follows its begin, so that days are those of a time zone, and takes filters', async () => {
    const timeline = await eventTimeline(admin, tester, {
      from: '2026-03-01T00:00:00+09:00',
      to: '2026-03-03T00:00:00+09:00',
      interval: '1d',
      minSeverity: 'critical',
    })
    expect(timeline.buckets.map(({ at: begin, count }) => [begin, count])).toEqual([
      ['2026-02-28T15:00:00.000000Z', 48],
      ['2026-03-01T15:00:00.000000Z', 0],
    ])
  })

  it('gives its last interval also where the time ends within it', async () => {
    const timeline = await eventTimeline(admin, tester, { from: at(0), to: at(61), interval: '1h' })
    expect(timeline.buckets.map(({ count }) => count)).toEqual([60, 1])
  })

  it('refuses more buckets than it gives', async () => {
    const many = eventTimeline(admin, tester, { from: day, to: '2027-03-01T00:00:00Z', interval: '1m' })
    await expect(many).rejects.toThrow('buckets')
  })
})

describe('reading', () => {
  it('leaves an action of the trail that says who asked for what and was shown which events', async () => {
    const actor = person({ userId: '0199d3a0-0000-7000-8000-00000000000c' })
    const id = made[17]?.id ?? ''
    const interval = '1d' as const
    const page = await searchEvents(admin, actor, { ...range, userName: 'user-2', limit: 2 })
    await eventTimeline(admin, actor, { ...range, interval })
    await readEvent(admin, actor, id)
    await expect(searchEvents(admin, actor, { cursor: 'eA' })).rejects.toThrow('cursor')
    const { rows } = await database.asSuperuser((session) =>
      session.query(
        `select event_type, action, resource, result, data_classification, detail from akashi_audit.audit_logs
         where user_id = $1 order by seq`,
        [actor.userId],
      ),
    )
    const shown = [
      { asked: { ...range, userName: 'user-2', limit: 2 }, events: page.rows.map((row) => row.id) },
      { asked: { ...range, interval }, counted: EVENTS },
      { asked: { id }, events: [id] },
    ]
    expect(rows).toEqual(
      shown.map((detail) => ({
        event_type: 'data_access',
        action: 'read',
        resource: 'akashi_security.security_events',
        result: 'SUCCESS',
        data_classification: 'confidential',
        detail,
      })),
    )
  })
})

describe('remediation', () => {
  const id = () => made[3]?.id ?? ''

  it('is kept beside the event, under the names of the sources, with its history in the trail', async () => {
    const before = await readEvent(admin, tester, id())
    expect(before).toMatchObject({ status: 'open', notes: null, resolvedAt: null, retentionDays: 2555 })
    const actor = person({ userId: '0199d3a0-0000-7000-8000-00000000000a' })
    await remediate(admin, actor, id(), { status: 'in_progress', notes: 'looking' })
    const resolved = await remediate(admin, actor, id(), { status: 'resolved' })
    expect(resolved).toMatchObject({ status: 'resolved', notes: 'looking', resolvedAt: expect.any(String) })
    const noted = await remediate(admin, actor, id(), { notes: 'a scanner' })
    expect(noted.resolvedAt).toBe(resolved.resolvedAt)
    const { status, notes, resolvedAt, ...rest } = await readEvent(admin, tester, id())
    expect({ status, notes, resolvedAt }).toEqual({
      status: 'resolved',
      notes: 'a scanner',
      resolvedAt: resolved.resolvedAt,
    })
    expect({ ...before, status, notes, resolvedAt }).toEqual({ ...rest, status, notes, resolvedAt })
    const again = await remediate(admin, actor, id(), { status: 'open', notes: null })
    expect(again).toMatchObject({ status: 'open', notes: null, resolvedAt: null })
    const { rows } = await admin.transaction(tester, (session) =>
      session.query(
        `select operation, user_id, new_values ->> 'remediation_status' as status from akashi_audit.audit_logs
         where table_name = 'remediations' order by seq`,
      ),
    )
    expect(rows).toEqual(
      [
        ['INSERT', 'in_progress'],
        ['UPDATE', 'resolved'],
        ['UPDATE', 'resolved'],
        ['UPDATE', 'open'],
      ].map(([operation, state]) => ({ operation, user_id: actor.userId, status: state })),
    )
  })

  it('is what events can be searched and counted by', async () => {
    await remediate(admin, tester, made[5]?.id ?? '', { status: 'suppressed' })
    const suppressed = await searchEvents(admin, tester, { ...range, status: 'suppressed' })
    expect(suppressed.rows.map((row) => row.id)).toEqual([made[5]?.id])
    const open = await eventTimeline(admin, tester, { ...range, interval: '1d', status: 'open' })
    expect(open.total).toBe(EVENTS - 1)
  })

  it('needs an event, a change and a known state', async () => {
    const nobody = '0199d3a0-0000-7000-8000-00000000dead'
    await expect(remediate(admin, tester, nobody, { status: 'open' })).rejects.toMatchObject({
      code: 'not_found',
    })
    await expect(readEvent(admin, tester, nobody)).rejects.toMatchObject({ code: 'not_found' })
    await expect(remediate(admin, tester, id(), {})).rejects.toMatchObject({ code: 'invalid_input' })
    const forged = admin.transaction(tester, (session) =>
      session.query(
        'insert into akashi_security.remediations (event_id, event_created_at) values ($1, now())',
        [nobody],
      ),
    )
    await expect(forged).rejects.toMatchObject({ code: 'not_found' })
  })
})
