import { describe, expect, it } from 'vitest'
import { type Actor, anonymous, person, service } from '../../src/postgres/index.ts'
import {
  akashiEventTypes,
  eventCategories,
  OCSF,
  recordEvent,
  recordEventAlone,
  severities,
} from '../../src/security/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const app = database.open('app')
const worker = database.open('worker')
const admin = database.open('security_admin')

const alice: Actor = person(
  {
    userId: '0199d3a0-0000-7000-8000-00000000000a',
    sessionId: '0199d3a0-0000-7000-8000-0000000000a1',
    tenantId: 'tenant-1',
  },
  { clientIp: '203.0.113.7', userAgent: 'agent', requestId: 'request-1', traceId: 'trace-1' },
)
const someoneElse = '0199d3a0-0000-7000-8000-00000000000e'

async function stored(id: string): Promise<Record<string, unknown>> {
  const { rows } = await admin.transaction(tester, (session) =>
    session.query('select * from akashi_security.security_events where id = $1', [id]),
  )
  return rows[0] ?? {}
}

describe('the types of Akashi’s own events', () => {
  it.each(Object.entries(akashiEventTypes))(
    '%s has a category, a severity and a class of OCSF',
    (type, facts) => {
      expect(type).toMatch(/^[a-z][a-z0-9_]{0,49}$/)
      expect(eventCategories).toContain(facts.category)
      expect(severities).toContain(facts.severity)
      expect(Object.values(OCSF)).toContain(facts.ocsf)
    },
  )

  it('hold for every event that the database makes itself', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ source: string }>(
        `select prosrc as source from pg_proc p join pg_namespace n on n.oid = p.pronamespace
         where n.nspname in ('akashi_security', 'akashi_audit', 'akashi_auth', 'akashi_keys', 'akashi_lifecycle')
           and proname not in ('record_event', 'submit_events', 'watch_alarms') and prosrc ~ 'security\\.(record_event|security_events) *\\('`,
      ),
    )
    expect(rows.length).toBeGreaterThan(1)
    const named =
      /(?:event_type\s*=>\s*|record_event\(\s*|security_events \([^)]*\)\s*values\s*\(\s*)'([a-z_]+)'/g
    for (const { source } of rows) {
      const types = [...source.matchAll(named)].map(([, type]) => type)
      // Where no type is written out, it is handed in by a caller.
      if (types.length === 0) expect(source).toMatch(/record_event\((?!')/)
      for (const type of types) {
        const facts = Object.entries(akashiEventTypes).find(([name]) => name === type)?.[1]
        expect(facts, type).toBeDefined()
        expect(source).toContain(`'${facts?.category}'`)
        expect(source).toMatch(new RegExp(`\\b${facts?.ocsf}\\b`))
      }
    }
  })
})

describe('recordEvent', () => {
  it('takes who, where and which request from the signed context, whatever the event says', async () => {
    const id = await app.transaction(alice, (session) =>
      recordEvent(session, {
        event_type: 'role_granted',
        user_id: someoneElse,
        source_ip: '198.51.100.1',
        tenant_id: 'tenant-2',
        external_user_id: 'sub-b',
        resource_type: 'user',
        resource_id: someoneElse,
        event_details: { role: 'admin' },
      }),
    )
    expect(await stored(id)).toMatchObject({
      event_type: 'role_granted',
      event_category: 'authorization',
      severity: 'medium',
      result: 'success',
      ocsf_class_uid: OCSF.userAccess,
      source_service: 'akashi',
      user_id: alice.userId,
      session_id: alice.sessionId,
      external_user_id: 'sub-b',
      source_ip: '203.0.113.7',
      user_agent: 'agent',
      request_id: 'request-1',
      trace_id: 'trace-1',
      tenant_id: 'tenant-1',
      resource_id: someoneElse,
      event_details: { role: 'admin' },
    })
  })

  it('says which service acted, and takes neither a job nor nobody for a user of other systems', async () => {
    const by = async (actor: Actor) =>
      await stored(
        await app.transaction(actor, (session) =>
          recordEvent(session, { event_type: 'role_granted', external_user_id: 'sub-b' }),
        ),
      )
    const billing = service({ name: 'billing', keyId: alice.sessionId ?? '' })
    expect(await by(billing)).toMatchObject({ user_id: null, external_user_id: 'service:billing' })
    expect(await by(tester)).toMatchObject({ user_id: null, external_user_id: 'sub-b' })
    expect(await by(anonymous('test'))).toMatchObject({ user_id: null, external_user_id: 'sub-b' })
  })

  it('lets the event say what a signed context leaves open, as at a login', async () => {
    const id = await app.transaction(anonymous('test', { clientIp: '203.0.113.9' }), (session) =>
      recordEvent(session, {
        event_type: 'authentication_success',
        user_id: alice.userId ?? '',
        user_name: 'alice',
        source_ip: '198.51.100.1',
      }),
    )
    expect(await stored(id)).toMatchObject({
      user_id: alice.userId,
      user_name: 'alice',
      source_ip: '203.0.113.9',
    })
  })

  it('believes nothing of an unsigned context, and keeps what it claimed', async () => {
    const unsigned = database.open('app', { contextKey: { id: 'unknown', secret: new Uint8Array(32) } })
    const id = await unsigned.transaction(alice, (session) =>
      recordEvent(session, {
        event_type: 'permission_denied',
        user_id: someoneElse,
        source_ip: '198.51.100.1',
      }),
    )
    expect(await stored(id)).toMatchObject({
      user_id: null,
      session_id: null,
      source_ip: null,
      tenant_id: null,
      event_details: {
        claimed: { user_id: alice.userId, source_ip: '203.0.113.7' },
        db_user: 'akashi_app',
      },
    })
  })

  it('lets the worker write about others, as detectors do', async () => {
    const id = await recordEventAlone(worker, tester, {
      event_type: 'brute_force_detected',
      source_service: 'security_monitor',
      user_id: someoneElse,
      source_ip: '::ffff:198.51.100.1',
    })
    expect(await stored(id)).toMatchObject({ user_id: someoneElse, source_ip: '198.51.100.1' })
  })

  it('is part of the caller’s transaction', async () => {
    const gone: string[] = []
    await expect(
      app.transaction(alice, async (session) => {
        gone.push(await recordEvent(session, { event_type: 'password_changed' }))
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    expect(await stored(gone[0] ?? '')).toEqual({})
  })

  it('cuts and mends what cannot be stored rather than lose the event', async () => {
    const id = await recordEventAlone(app, alice, {
      event_type: 'authentication_failure',
      user_name: `a\0b\ud800${'x'.repeat(300)}`,
      source_ip: 'host.example',
      event_details: { 'k\0': '\ud800', big: 10 },
    })
    const row = await stored(id)
    expect(row['user_name']).toMatch(/^a\u2400b\ufffdx+$/)
    expect(String(row['user_name'])).toHaveLength(255)
    expect(row['event_details']).toEqual({ 'k\u2400': '\ufffd', big: 10 })
    const long = await recordEventAlone(app, alice, {
      event_type: 'authentication_failure',
      event_details: { text: 'x'.repeat(70_000) },
    })
    expect(await stored(long)).toMatchObject({ event_details: { left_out_characters: 70_011 } })
  })

  it('takes an application’s own types, with what says how to read them', async () => {
    const event = {
      event_type: 'coupon_guessed',
      event_category: 'data_access',
      severity: 'high',
      source_service: 'shop',
    } as const
    const id = await recordEventAlone(app, alice, event)
    expect(await stored(id)).toMatchObject({ ...event, ocsf_class_uid: null, result: null })
    await expect(recordEventAlone(app, alice, { ...event, event_type: 'No Type' })).rejects.toMatchObject({
      code: 'invalid_input',
    })
  })
})

describe('the table of events', () => {
  it.each(['app', 'security_admin'] as const)('takes no event from %s directly', async (role) => {
    const write = database.open(role).transaction(alice, (session) =>
      session.query(
        `insert into akashi_security.security_events (event_type, event_category, severity, source_service)
         values ('forged', 'authentication', 'info', 'x')`,
      ),
    )
    await expect(write).rejects.toMatchObject({ code: 'forbidden' })
  })

  it.each(['received_at', 'seq', 'xid', 'salt'])('lets nobody say its %s', async (column) => {
    const write = worker.transaction(tester, (session) =>
      session.query(
        `insert into akashi_security.security_events (event_type, event_category, severity, source_service, ${column})
         values ('forged', 'authentication', 'info', 'x', default)`,
      ),
    )
    await expect(write).rejects.toMatchObject({ code: 'forbidden' })
  })
})

describe('a change of a user', () => {
  const id = '0199d3a0-0000-7000-8000-00000000000f'
  const events = async () => {
    const { rows } = await admin.transaction(tester, (session) =>
      session.query(
        `select user_id, event_type, event_category, severity, resource_type, resource_id, action_performed, ocsf_class_uid, event_details
         from akashi_security.security_events where resource_id = $1 order by created_at`,
        [id],
      ),
    )
    return rows
  }

  it('of classification or account state is a security event; of a name it is none', async () => {
    await database.asSuperuser((session) =>
      session.query(
        `insert into akashi_auth.users (id, subject, username, email) values ($1, 'classified', 'classified', 'c@example.com')`,
        [id],
      ),
    )
    const owner = database.open('owner')
    const change = (text: string) => owner.transaction(alice, (session) => session.query(text, [id]))
    await change(`update akashi_auth.users set display_name = 'C' where id = $1`)
    expect(await events()).toEqual([])
    await change(`update akashi_auth.users set security_classification = 'restricted' where id = $1`)
    await change(`update akashi_auth.users set account_status = 'suspended' where id = $1`)
    const common = {
      user_id: alice.userId,
      event_type: 'data_modification',
      event_category: 'configuration',
      severity: 'medium',
      resource_type: 'users',
      resource_id: id,
      action_performed: 'UPDATE',
      ocsf_class_uid: 3001,
    }
    const details = { table: 'users', operation: 'UPDATE', changed_by: alice.userId }
    expect(await events()).toEqual([
      {
        ...common,
        event_details: {
          ...details,
          changes: { security_classification: { old: 'internal', new: 'restricted' } },
        },
      },
      {
        ...common,
        event_details: { ...details, changes: { account_status: { old: 'active', new: 'suspended' } } },
      },
    ])
  })
})
