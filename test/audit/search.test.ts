import { parseExact } from '@akashi/client/trail'
import { beforeAll, describe, expect, it } from 'vitest'
import { searchTrail, type TrailFilter, type TrailRow } from '../../src/audit/index.ts'
import { person } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const app = database.open('app')
const worker = database.open('worker')
const admin = database.open('security_admin')

const alice = '0199d3a0-0000-7000-8000-00000000000a'
const bob = '0199d3a0-0000-7000-8000-00000000000b'
const sessionId = '0199d3a0-0000-7000-8000-0000000000f1'

beforeAll(async () => {
  await database.asSuperuser((session) =>
    session.query(`
      create table shop (id int primary key, name text, price numeric, big bigint);
      create table other (id int primary key, note text);
      grant insert, update, delete on shop, other to akashi_app;
      grant select on shop, other to akashi_app;
      select akashi_audit.protect('shop', 'confidential', 'id'), akashi_audit.protect('other')`),
  )
  await app.transaction(
    person(
      { userId: alice, tenantId: 'acme' },
      { requestId: 'r-1', traceId: 't-1', correlationId: 'c-1', clientIp: '203.0.113.7' },
    ),
    (session) =>
      session.query(
        `insert into public.shop values (1, '茶碗 50%_off', 10.5, 9007199254740993), (2, 'say "hi" \\ there', 0.10, 2)`,
      ),
  )
  await app.transaction(
    person({ userId: bob, sessionId }, { requestId: 'r-2', traceId: 't-2', clientIp: '2001:db8::7' }),
    async (session) => {
      await session.query('update public.shop set price = 11 where id = 1')
      await session.query(`insert into public.other values (1, 'x')`)
      await session.query('delete from public.shop where id = 2')
      await session.query(
        `select akashi_audit.record_action('report_exported', 'export', 'reports', '7', 'FAILURE', '{"why": "quota"}')`,
      )
    },
  )
})

async function found(filter: TrailFilter): Promise<string[]> {
  return (await searchTrail(worker, tester, filter)).rows.map(label)
}

const label = (row: TrailRow) =>
  `${row.action} ${row.table ?? row.resource} ${row.recordId ?? row.resourceId}`

describe('searching the trail', () => {
  it.each<[string, TrailFilter, string[]]>([
    ['one record', { schema: 'public', table: 'shop', recordId: '1' }, ['update shop 1', 'insert shop 1']],
    ['a user', { userId: bob }, ['export reports 7', 'delete shop 2', 'insert other 1', 'update shop 1']],
    ['a session', { sessionId, table: 'other' }, ['insert other 1']],
    ['an address', { address: '203.0.113.7', recordId: '1' }, ['insert shop 1']],
    ['a network', { address: '203.0.113.0/24', recordId: '2' }, ['insert shop 2']],
    ['a network of IPv6', { address: '2001:db8::/32', table: 'other' }, ['insert other 1']],
    ['an address that nothing came from', { address: '203.0.113.8' }, []],
    ['a resource', { resource: 'reports' }, ['export reports 7']],
    ['one resource', { resource: 'reports', resourceId: '7' }, ['export reports 7']],
    ['a resource of another kind', { resource: 'rooms', resourceId: '7' }, []],
    ['a request', { requestId: 'r-1' }, ['insert shop 2', 'insert shop 1']],
    ['a trace', { traceId: 't-1', recordId: '2' }, ['insert shop 2']],
    ['a correlation', { correlationId: 'c-1', recordId: '1' }, ['insert shop 1']],
    ['a table and an action', { table: 'shop', action: 'delete' }, ['delete shop 2']],
    ['an operation', { table: 'shop', operation: 'UPDATE' }, ['update shop 1']],
    ['an event type', { eventType: 'report_exported' }, ['export reports 7']],
    ['a result', { result: 'FAILURE' }, ['export reports 7']],
    ['a tenant', { tenantId: 'acme', recordId: '1' }, ['insert shop 1']],
    [
      'a classification',
      { classification: 'confidential', table: 'shop', recordId: '2' },
      ['delete shop 2', 'insert shop 2'],
    ],
    ['a person', { dataSubject: '2', table: 'shop' }, ['delete shop 2', 'insert shop 2']],
    ['text in new values', { text: '茶碗', table: 'shop' }, ['update shop 1', 'insert shop 1']],
    [
      'text that LIKE would read otherwise',
      { text: '50%_OFF', table: 'shop', operation: 'INSERT' },
      ['insert shop 1'],
    ],
    [
      'text that JSON escapes',
      { text: 'say "hi" \\ there', table: 'shop' },
      ['delete shop 2', 'insert shop 2'],
    ],
    ['text in details', { text: 'QUOTA', from: '2020-01-01T00:00:00Z' }, ['export reports 7']],
    ['nothing', { traceId: "' or true --" }, []],
    ['a time range', { table: 'shop', from: '2020-01-01T00:00:00Z', to: '2020-02-01T00:00:00+09:00' }, []],
  ])('finds by %s, newest first', async (_, filter, rows) => {
    expect(await found(filter)).toEqual(rows)
  })

  it('gives rows that JSON holds without loss', async () => {
    const { rows } = await searchTrail(worker, tester, { table: 'shop', recordId: '1', action: 'insert' })
    expect(JSON.parse(JSON.stringify(rows))).toEqual(rows)
    expect(rows[0]).toMatchObject({
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/) as unknown,
      userId: alice,
      subject: null,
      ipAddress: '203.0.113.7',
      contextVerified: true,
      dbUser: 'akashi_app',
      newValues: { id: 1, name: '茶碗 50%_off', price: 10.5, big: '9007199254740993' },
      oldValues: null,
      classification: 'confidential',
    })
    expect(rows[0]).not.toHaveProperty('salt')
  })

  it('pages through everything without losing or doubling a row, also rows of one moment', async () => {
    await database.asSuperuser((session) =>
      session.query(`insert into akashi_audit.audit_logs (created_at, action, event_type, context_verified, detail)
        select date_trunc('hour', now()), 'page', 'paged', false, jsonb_build_object('n', i) from generate_series(1, 25) i`),
    )
    for (const text of [undefined, 'n']) {
      const seen: string[] = []
      let cursor: string | null | undefined
      do {
        const page: Awaited<ReturnType<typeof searchTrail>> = await searchTrail(worker, tester, {
          eventType: 'paged',
          from: '2020-01-01T00:00:00Z',
          limit: 7,
          ...(text === undefined ? {} : { text }),
          ...(typeof cursor === 'string' ? { cursor } : {}),
        })
        expect(page.rows.length).toBeLessThanOrEqual(7)
        seen.push(...page.rows.map((row) => row.id))
        cursor = page.next
      } while (cursor !== null)
      expect(seen).toHaveLength(25)
      expect(new Set(seen).size).toBe(25)
      expect(seen).toEqual([...seen].sort().reverse())
    }
  })

  it('looks for text in so many rows a page, and goes on from there', async () => {
    await database.asSuperuser((session) =>
      session.query(`insert into akashi_audit.audit_logs (created_at, action, event_type, context_verified, detail)
        select date_trunc('month', now()) + i * interval '1 microsecond', 'scan', 'scanned', false, case when i = 1 then '{"needle": 1}' else '{}' end::jsonb
        from generate_series(1, 20500) i`),
    )
    const filter: TrailFilter = { eventType: 'scanned', text: 'needle', from: '2020-01-01T00:00:00Z' }
    const first = await searchTrail(worker, tester, filter)
    expect(first.rows).toEqual([])
    expect(first.next).not.toBeNull()
    const second = await searchTrail(worker, tester, { ...filter, cursor: first.next ?? '' })
    expect(second.rows).toMatchObject([{ detail: { needle: 1 } }])
    expect(second.next).toBeNull()
  })

  it('reads only the partitions of the time range', async () => {
    await database.asSuperuser(async (session) => {
      await session.query("select akashi_lifecycle.create_partition('akashi_audit.audit_logs', '2020-05-01')")
      const { rows } = await session.query<{ 'QUERY PLAN': string }>(
        "explain select * from akashi_audit.audit_logs r where r.created_at >= '2020-05-02'::timestamptz and r.created_at < '2020-05-03'::timestamptz order by r.created_at desc, r.id desc limit 1",
      )
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
      expect(plan).toContain('audit_logs_2020_05')
      expect(plan.match(/audit_logs_\d{4}_\d\d /g)).toHaveLength(1)
    })
  })

  it('names every mistake of a filter at once', async () => {
    const wrong = {
      userId: '',
      limit: 501,
      from: '2026-02-01T00:00:00Z',
      to: '2026-01-01T00:00:00Z',
      operation: 'drop',
      nope: 1,
      text: '',
    }
    const error = await searchTrail(worker, tester, wrong as unknown as TrailFilter).catch(
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ code: 'invalid_input' })
    const { mistakes } = (error as { detail: { mistakes: string[] } }).detail
    expect(mistakes.map((mistake) => mistake.split(' ')[0]).sort()).toEqual([
      'Unrecognized',
      'limit',
      'operation',
      'text',
      'to',
      'userId',
    ])
  })

  it.each<[string, TrailFilter]>([
    ['text without a bound', { text: 'x' }],
    ['text with an end but no beginning', { text: 'x', to: '2026-01-01T00:00:00Z' }],
    ['a value that no column holds', { traceId: 'a\u0000b' }],
    ['a local time', { from: '2026-01-01T00:00:00' }],
    ['no cursor at all', { cursor: 'x' }],
    ['a cursor of another list', { cursor: Buffer.from('["12"]').toString('base64url') }],
    [
      'a cursor with more in it',
      { cursor: Buffer.from(`["2026-01-01T00:00:00.000000Z","${alice}","1"]`).toString('base64url') },
    ],
    [
      'a cursor spelled otherwise',
      { cursor: Buffer.from(` ["2026-01-01T00:00:00.000000Z","${alice}"]`).toString('base64url') },
    ],
  ])('refuses %s', async (_, filter) => {
    await expect(searchTrail(worker, tester, filter)).rejects.toMatchObject({ code: 'invalid_input' })
  })

  it('shows an application user only their own rows, and staff every row', async () => {
    const mine = await searchTrail(app, person({ userId: alice }), {})
    expect(mine.rows.map(label)).toEqual(['insert shop 2', 'insert shop 1'])
    expect((await searchTrail(app, person({ userId: alice }), { userId: bob })).rows).toEqual([])
    expect((await searchTrail(app, tester, {})).rows).toEqual([])
    expect((await searchTrail(admin, tester, { table: 'shop' })).rows).toHaveLength(4)
  })
})

describe('numbers of the trail', () => {
  it.each([
    ['1.50', 1.5],
    ['9007199254740993', '9007199254740993'],
    ['9007199254740992', 9007199254740992],
    ['100000000000000000000', 100000000000000000000],
    ['-0.1000000000000000000001', '-0.1000000000000000000001'],
    ['0.10000000000000000000', 0.1],
    ['1e400', '1e400'],
    ['0.00000000000000000000', 0],
  ])('%s is read as exactly that', (text, value) => {
    expect(parseExact(`{"a": [${text}]}`)).toEqual({ a: [value] })
  })
})
