import { beforeAll, describe, expect, it } from 'vitest'
import {
  checkErasureCertificate,
  createUser,
  eraseUser,
  erasureVerifierKey,
  findUserByIdentity,
  findUserByLogin,
  readErasure,
  readUser,
  reconcileErasures,
} from '../../src/identity/index.ts'
import { type Keyring, personKeyId } from '../../src/keys/index.ts'
import { person, type Session } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const worker = database.open('worker')
const app = database.open('app')
const owner = database.open('owner')
const ledger = testLedger(worker)

const { openPersonVault } = await import('../../src/keys/index.ts')
const vault = () => openPersonVault(ledger.keyring)
const inWorker = <T>(work: (session: Session) => Promise<T>) => worker.transaction(tester, work)
const asOwner = (text: string, values: unknown[] = []) =>
  owner.transaction(tester, (session) => session.query(text, values))

let admin = ''
let made = 0
async function make(role?: string): Promise<string> {
  made += 1
  const username = `person-${made}`
  const id = await inWorker((session) =>
    createUser(session, vault(), {
      issuer: 'https://id.example',
      subject: `sub-${made}`,
      username,
      email: `${username}@example.com`,
      displayName: `Full Name ${made}`,
    }),
  )
  if (role !== undefined) await asOwner('select akashi_auth.grant_role($1, $2)', [id, role])
  return id
}
const erase = (id: string, by = admin, keyring: Keyring = ledger.keyring) =>
  eraseUser({ database: app, keyring }, person({ userId: by }), id, { confirm: id, reason: 'asked for it' })

/** Every value of the trail about a person, as text. */
const trailOf = async (id: string) => {
  const { rows } = await inWorker((session) =>
    session.query<{ old_values: Record<string, unknown>; new_values: Record<string, unknown> }>(
      'select old_values, new_values from akashi_audit.audit_logs where data_subject = $1 order by seq',
      [id],
    ),
  )
  return rows
}

beforeAll(async () => {
  admin = await make('sys_admin')
})

describe('erasing a person', () => {
  it('leaves nothing readable in the row and in the rows of the trail, and the ledger whole', async () => {
    const id = await make('viewer')
    await asOwner(
      `insert into akashi_auth.user_sessions (user_id, session_token_hash, expires_at, ip_address)
       values ($1, sha256('t'), now() + interval '1 day', '192.0.2.9')`,
      [id],
    )
    await asOwner(
      `insert into akashi_auth.local_credentials (user_id, password_hash) values ($1, '$argon2id$x')`,
      [id],
    )
    await ledger.seal()
    const before = await trailOf(id)
    const sealed = before
      .map(({ new_values }) => new_values?.['email_encrypted'])
      .find((value) => typeof value === 'string')
    const inTrail = Buffer.from(String(sealed).slice(2), 'hex')
    const place = { table: 'akashi_auth.users', column: 'email', row: id }
    expect(await vault().decrypt(id, place, inTrail)).toMatch(/@example\.com$/)

    const { certificate, completedAt, reason } = await erase(id)
    expect({ reason, completed: completedAt !== null }).toEqual({ reason: 'asked for it', completed: true })
    expect(await vault().decrypt(id, place, inTrail)).toBeNull()
    expect(await inWorker((session) => readUser(session, vault(), id))).toMatchObject({
      status: 'deleted',
      username: `deleted-${id}`,
      email: null,
      subject: null,
      displayName: null,
    })
    const { rows: left } = await asOwner(
      `select (select count(*) from akashi_auth.user_sessions where user_id = $1 and (revoked_at is null or ip_address is not null))
            + (select count(*) from akashi_auth.local_credentials where user_id = $1)
            + (select count(*) from akashi_auth.user_roles where user_id = $1)
            + (select count(*) from akashi_keys.digest_salts where data_subject = $1::text) as n`,
      [id],
    )
    expect(left).toEqual([{ n: 0n }])
    const { rows: traces } = await database.asSuperuser((session) =>
      session.query<{ text: string }>(
        `select concat(a) as text from akashi_audit.audit_logs a where strpos(concat(a), $1) > 0
         union all select concat(e) from akashi_security.security_events e where strpos(concat(e), $1) > 0`,
        [`Full Name ${made}`],
      ),
    )
    expect(traces).toEqual([])
    await ledger.seal()
    expect(await ledger.problems()).toEqual([])
    expect(certificate).not.toBeNull()
  })

  it('is certified: what is unreadable, what remains, checkable with the public key alone', async () => {
    const id = await make()
    const { certificate } = await erase(id)
    const key = await erasureVerifierKey(ledger.keyring)
    const checked = checkErasureCertificate(certificate ?? '', [key])
    expect(checked).toMatchObject({
      person: id,
      key: personKeyId(id),
      requestedBy: admin,
      trail: { salts: 1 },
    })
    expect(checked.trail.rows).toBeGreaterThan(1)
    const names = (places: readonly { table: string; column: string }[]) =>
      places.map(({ table, column }) => `${table}.${column}`)
    expect(names(checked.unreadable)).toEqual(
      expect.arrayContaining(['users.email_encrypted', 'users.subject_encrypted']),
    )
    expect(checked.unreadable.find(({ column }) => column === 'email_encrypted')?.values).toBe(1)
    expect(names(checked.removed)).toEqual(expect.arrayContaining(['users.username', 'users.email_index']))
    expect(names(checked.remains)).toContain('audit_logs.ip_address')
    for (const { until } of checked.remains) expect(until).not.toBeNull()
    const forged = (certificate ?? '').replace(id, admin)
    expect(() => checkErasureCertificate(forged, [key])).toThrowError(/signature/)
    const [, , ...rest] = (certificate ?? '').split('\n')
    expect(() => checkErasureCertificate(`x\n${rest.join('\n')}`, [key])).toThrowError()
  })

  it('lets the same person come back as a new one', async () => {
    const id = await make()
    const subject = `sub-${made}`
    const email = `person-${made}@example.com`
    await erase(id)
    const found = await inWorker(async (session) => [
      await findUserByIdentity(session, vault(), 'https://id.example', subject),
      await findUserByLogin(session, vault(), email),
    ])
    expect(found).toEqual([null, null])
    const again = await inWorker((session) =>
      createUser(session, vault(), {
        issuer: 'https://id.example',
        subject,
        username: `person-${made}`,
        email,
      }),
    )
    expect(again).not.toBe(id)
  })

  it('is an action of the trail and a security event', async () => {
    const id = await make()
    await erase(id)
    const { rows: actions } = await inWorker((session) =>
      session.query(
        `select event_type, user_id from akashi_audit.audit_logs where resource_id = $1 and event_type like '%eras%' order by seq`,
        [id],
      ),
    )
    expect(actions).toEqual([
      { event_type: 'erasure_begun', user_id: admin },
      { event_type: 'person_erased', user_id: admin },
    ])
    const { rows: events } = await inWorker((session) =>
      session.query(
        `select severity, user_id from akashi_security.security_events where event_type = 'key_shredded' and resource_id = $1`,
        [id],
      ),
    )
    expect(events).toEqual([{ severity: 'high', user_id: admin }])
  })

  it('goes on where it was cut short, and does nothing the second time', async () => {
    const id = await make()
    for (const verb of ['destroy', 'sign'] as const) {
      const broken = new Proxy(ledger.keyring, {
        get: (target, name) => {
          if (name === verb) return () => Promise.reject(new Error(`cut short at ${verb}`))
          const value: unknown = Reflect.get(target, name)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
      await expect(erase(id, admin, broken)).rejects.toThrow(`cut short at ${verb}`)
      expect(await readErasure({ database: app }, person({ userId: admin }), id)).toMatchObject({
        completedAt: null,
      })
    }
    const first = await erase(id)
    expect(
      checkErasureCertificate(first.certificate ?? '', [await erasureVerifierKey(ledger.keyring)]),
    ).toMatchObject({
      trail: { salts: 1 },
    })
    expect(await erase(id)).toEqual(first)
  })

  it.each([
    ['without keys:admin', async () => ({ id: await make(), by: await make('sys_operator') }), 'forbidden'],
    ['by somebody who is not signed in', async () => ({ id: await make(), by: '' }), 'forbidden'],
    ['of oneself', async () => ({ id: admin, by: admin }), 'forbidden'],
    [
      'under legal hold',
      async () => {
        const id = await make()
        await asOwner(`update akashi_auth.users set legal_hold = 'case 7' where id = $1`, [id])
        return { id, by: admin }
      },
      'conflict',
    ],
    ['of nobody', async () => ({ id: '01998c00-0000-7000-8000-000000000000', by: admin }), 'not_found'],
  ])('is refused %s, and the key stays', async (_, prepare, code) => {
    const { id, by } = await prepare()
    await expect(erase(id, by)).rejects.toMatchObject({ code })
    expect(await ledger.keyring.state(personKeyId(id))).not.toBe('destroyed')
  })

  it('is refused for the last administrator', async () => {
    const refused = eraseUser({ database: owner, keyring: ledger.keyring }, tester, admin, {
      confirm: admin,
      reason: 'mistake',
    })
    await expect(refused).rejects.toMatchObject({ code: 'conflict' })
    expect(await ledger.keyring.state(personKeyId(admin))).toBe('present')
  })

  it('is refused while a table that holds values of persons is under legal hold', async () => {
    const id = await make()
    await asOwner(
      `update akashi_lifecycle.policies set legal_hold = true where table_name = 'login_attempts'`,
    )
    await expect(erase(id)).rejects.toMatchObject({ code: 'conflict' })
    await asOwner(
      `update akashi_lifecycle.policies set legal_hold = false where table_name = 'login_attempts'`,
    )
  })

  it('needs the person to be named twice', async () => {
    const id = await make()
    const options = { confirm: 'somebody', reason: 'x' }
    const refused = eraseUser(
      { database: app, keyring: ledger.keyring },
      person({ userId: admin }),
      id,
      options,
    )
    await expect(refused).rejects.toMatchObject({ code: 'invalid_input' })
  })
})

describe('reconciling', () => {
  it('completes what was cut short; finds nothing in a whole system', async () => {
    const id = await make()
    await asOwner('select akashi_keys.begin_erasure($1, $2, $3)', [id, personKeyId(id), 'cut short'])
    const parts = { database: owner, keyring: ledger.keyring }
    expect(await reconcileErasures(parts, tester)).toEqual({
      completed: [id],
      destroyedAgain: [],
      erasedAgain: [],
      refused: [],
      missingKeys: 0,
    })
    expect(await reconcileErasures(parts, tester)).toMatchObject({ completed: [] })
    expect((await readErasure(parts, tester, id))?.certificate).not.toBeNull()
  })
})

describe('digests of a person who was erased', () => {
  const salts = async (id: string) => {
    const { rows } = await database.asSuperuser((session) =>
      session.query('select data_subject from akashi_keys.digest_salts where lower(data_subject) like $1', [
        `%${id}%`,
      ]),
    )
    return rows.map(({ data_subject }) => data_subject)
  }

  it('have no salt, however the id is written, whatever is written or deleted afterwards', async () => {
    const id = await make()
    await database.asSuperuser(async (session) => {
      await session.query('create table notes (id integer primary key, about text, body text)')
      await session.query('grant insert on notes to akashi_owner')
      await session.query(
        `select akashi_audit.protect('notes', 'confidential', 'about', '{"body": "digest"}')`,
      )
      await session.query("insert into notes values (1, $1, 'a'), (2, $2, 'b'), (3, $3, 'c')", [
        id,
        id.toUpperCase(),
        `{${id}}`,
      ])
    })
    expect(await salts(id)).toEqual([id])
    await erase(id)
    expect(await salts(id)).toEqual([])
    await database.asSuperuser(async (session) => {
      await session.query("update notes set body = body || ' edited'")
      await session.query('delete from notes where id = 1')
      await session.query("insert into notes values (1, $1, 'a')", [id.toUpperCase()])
      await session.query('delete from notes')
    })
    expect(await salts(id)).toEqual([])
  })

  it('lose a salt that a transaction made which began before the erasure', async () => {
    const id = await make()
    await asOwner('delete from akashi_keys.digest_salts where data_subject = $1', [id])
    await owner.transaction(
      tester,
      async (session) => {
        await session.query('select count(*) from akashi_auth.users')
        await erase(id)
        await session.query("insert into public.notes values (4, $1, 'd')", [id])
      },
      { isolation: 'repeatable read', retries: 0 },
    )
    expect(await salts(id)).toEqual([id])
    await reconcileErasures({ database: owner, keyring: ledger.keyring }, tester)
    expect(await salts(id)).toEqual([])
  })
})
