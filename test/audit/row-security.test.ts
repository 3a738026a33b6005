import { beforeAll, describe, expect, it } from 'vitest'
import { AkashiError } from '../../src/foundation/index.ts'
import type { Actor, Database } from '../../src/postgres/index.ts'
import { makeUser } from '../identity/people.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const app = database.open('app')
const worker = database.open('worker')
const reader = database.open('reader')
const securityAdmin = database.open('security_admin')
const ledger = testLedger(worker)

let ada: Actor & { readonly userId: string }
let eve: Actor
let auditor: Actor

beforeAll(async () => {
  ada = await makeUser(database, 'user')
  eve = await makeUser(database, 'user')
  auditor = await makeUser(database, 'security_admin')
  await app.transaction(ada, (session) =>
    session.query("select akashi_audit.record_action('order_approved', 'approve')"),
  )
  await database.asSuperuser(async (session) => {
    await session.query(
      `insert into akashi_security.security_events (event_type, event_category, severity, source_service, user_id, event_details)
       values ('login_failed', 'authentication', 'low', 'shop', $1, '{}')`,
      [ada.userId],
    )
    await session.query(
      "insert into akashi_auth.login_attempts (user_id, method, result, counted) values ($1, 'password', 'failure', true)",
      [ada.userId],
    )
  })
  await ledger.seal()
  // Of these some may go, when they are old.
  await worker.transaction(tester, (session) =>
    session.query(
      'insert into akashi_audit.ledger_checkpoints (log, epoch, size, root, note) select log, epoch, size, root, note from akashi_audit.ledger_heads',
    ),
  )
})

type Viewer = 'nobody' | 'ada' | 'eve' | 'claim' | 'auditor' | 'worker' | 'securityAdmin' | 'reader'
type Seen = 'her row' | 'none' | 'refused'

/** What each sees of the row that is about Ada, by row-level security and grants. */
const visible: Readonly<Record<string, Readonly<Record<Viewer, Seen>>>> = {
  'akashi_audit.audit_logs': {
    nobody: 'none',
    ada: 'her row',
    eve: 'none',
    claim: 'none',
    auditor: 'none',
    worker: 'her row',
    securityAdmin: 'her row',
    // Columns without personal data or values; test/audit/masked.test.ts tries the others.
    reader: 'her row',
  },
  'akashi_security.security_events': {
    nobody: 'none',
    ada: 'her row',
    eve: 'none',
    claim: 'none',
    auditor: 'none',
    worker: 'her row',
    securityAdmin: 'her row',
    reader: 'her row',
  },
  'akashi_auth.login_attempts': {
    nobody: 'none',
    ada: 'her row',
    eve: 'none',
    claim: 'none',
    auditor: 'her row',
    worker: 'her row',
    securityAdmin: 'her row',
    reader: 'refused',
  },
}

function viewers(): Readonly<Record<Viewer, readonly [Database, Actor]>> {
  return {
    nobody: [app, tester],
    ada: [app, ada],
    eve: [app, eve],
    // Says that it is Ada, in a context that is not signed.
    claim: [app, tester],
    auditor: [app, auditor],
    worker: [worker, tester],
    securityAdmin: [securityAdmin, tester],
    reader: [reader, tester],
  }
}

async function look(table: string, viewer: Viewer): Promise<Seen> {
  const [pool, actor] = viewers()[viewer]
  try {
    return await pool.transaction(actor, async (session) => {
      if (viewer === 'claim')
        await session.query("select set_config('app.current_user_id', $1, true)", [ada.userId])
      const { rows } = await session.query<{ seen: number }>(
        `select count(id)::integer as seen from ${table} where user_id = $1`,
        [ada.userId],
      )
      return (rows[0]?.seen ?? 0) > 0 ? 'her row' : 'none'
    })
  } catch (error) {
    if (error instanceof AkashiError && error.code === 'forbidden') return 'refused'
    throw error
  }
}

describe('the record', () => {
  const cases = Object.entries(visible).flatMap(([table, by]) =>
    Object.entries(by).map(([viewer, seen]) => [table, viewer as Viewer, seen] as const),
  )
  it.each(cases)('%s shows to %s: %s', async (table, viewer, seen) => {
    expect(await look(table, viewer)).toBe(seen)
  })
})

/** Everything that is never changed or removed, but for old checkpoints; heads and tiles only grow. */
const kept = [
  'akashi_audit.audit_logs',
  'akashi_audit.ledger_checkpoints',
  'akashi_audit.ledger_cosignatures',
  'akashi_audit.ledger_entries',
  'akashi_audit.ledger_epochs',
  'akashi_audit.retention_records',
  'akashi_audit.verifications',
  'akashi_auth.login_attempts',
  'akashi_security.security_events',
]
const growing = ['akashi_audit.ledger_heads', 'akashi_audit.ledger_tiles']
const column = (table: string) => (growing.includes(table) || table.includes('ledger_') ? 'log' : 'id')

const statements = [...kept, ...growing].flatMap((table) => [
  ...(growing.includes(table) ? [] : [`update ${table} set ${column(table)} = ${column(table)}`]),
  `delete from ${table}`,
  `truncate ${table}`,
])

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'done',
    (error: unknown) => (error instanceof AkashiError ? error.code : String(error)),
  )
}

describe('change and removal of the record and the ledger', () => {
  const roles: readonly (readonly [string, Database])[] = [
    ['app', app],
    ['worker', worker],
    ['reader', reader],
    ['security_admin', securityAdmin],
  ]
  it.each(statements)('are refused to everybody: %s', async (statement) => {
    for (const [role, pool] of roles) {
      expect(await codeOf(pool.transaction(tester, (session) => session.query(statement))), role).toMatch(
        /^(forbidden|append_only)$/,
      )
    }
    const asOwner = database.asSuperuser((session) => session.query(`set role akashi_owner; ${statement}`))
    expect(await codeOf(asOwner), 'owner').toBe('append_only')
    expect(await codeOf(database.asSuperuser((session) => session.query(statement))), 'superuser').toBe(
      'append_only',
    )
    const defined = database.asSuperuser((session) =>
      session.query(`begin; create function akashi_audit.meddle() returns void language sql security definer set search_path = pg_catalog, pg_temp as $$ ${statement} $$;
        alter function akashi_audit.meddle() owner to akashi_owner; select akashi_audit.meddle(); rollback`),
    )
    expect(await codeOf(defined), 'definer function').toBe('append_only')
  })
})

describe('a session that has row security off, as every dump sets it', () => {
  it('writes to protected tables, and the trail records it', async () => {
    const { rows } = await database.asSuperuser(async (session) => {
      await session.query(`create table kept (id int primary key); create table lossy (id int primary key);
        select akashi_audit.protect('kept'); select akashi_audit.protect('lossy', on_failure => 'record_loss');
        set row_security = off; insert into kept values (1); insert into lossy values (1)`)
      return await session.query(
        `select table_name, operation from akashi_audit.audit_logs where table_name in ('kept', 'lossy') order by 1`,
      )
    })
    expect(rows).toEqual([
      { table_name: 'kept', operation: 'INSERT' },
      { table_name: 'lossy', operation: 'INSERT' },
    ])
  })
})
