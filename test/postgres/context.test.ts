import { createHmac, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { type Database, migrateUp, openDatabase, person, type Session } from '../../src/postgres/index.ts'
import { emptyDatabase, MIGRATIONS, testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const copy = emptyDatabase()

/** The fields of docs/request-context.md, in order. */
const names = [
  ...[
    'current_user_id',
    'current_session_id',
    'subject',
    'client_ip',
    'user_agent',
    'request_id',
    'trace_id',
  ],
  ...['correlation_id', 'api_endpoint', 'application_version', 'tenant_id'],
]

interface Claims {
  readonly values: readonly string[]
  readonly expires: string
  readonly keyId: string
  readonly secret: Uint8Array
  readonly audience: string
}

/** Written from the page, not from the code that signs. */
function sign({ values, expires, keyId, secret, audience }: Claims): string {
  const bytes = ['akashi-context/1', ...values, expires, keyId, audience].join('\u001f')
  return createHmac('sha256', secret).update(bytes, 'utf8').digest('hex')
}

const audienceOf = async (session: Session) => {
  const { rows } = await session.query<{ audience: string; now: number }>(
    'select akashi_auth.context_audience() as audience, extract(epoch from clock_timestamp())::float8 as now',
  )
  return rows[0] ?? { audience: '', now: 0 }
}

type Settings = Readonly<Record<string, string>>

function settingsOf(claims: Claims): Settings {
  return {
    ...Object.fromEntries(names.map((name, i) => [`app.${name}`, claims.values[i] ?? ''])),
    'app.context_expires': claims.expires,
    'app.context_key': claims.keyId,
    'app.context_signature': sign(claims),
  }
}

async function replay(session: Session, settings: Settings): Promise<void> {
  await session.query('select set_config(key, value, true) from jsonb_each_text($1::jsonb)', [
    JSON.stringify(settings),
  ])
}

async function accept(session: Session, settings: Settings): Promise<string | null> {
  await replay(session, settings)
  const { rows } = await session.query<{ by: string | null }>('select akashi_auth.accept_context() as by')
  return rows[0]?.by ?? null
}

const counts = async (session: Session) => {
  const { rows } = await session.query<{
    by: string | null
    allowed: boolean
    id: string | null
    named: string
  }>(
    `select akashi_auth.context_application() as by, akashi_auth.has_permission('users:admin') as allowed,
            akashi_auth.current_user_id() as id, akashi_auth.context_user() as named`,
  )
  return rows[0]
}

const key = { id: 'shop-1', secret: randomBytes(32) }
const forUser = (userId: string) => [userId, 's/1', '', '203.0.113.9', ...Array.from({ length: 7 }, () => '')]

async function addShopKey(login = 'akashi_app', on = database): Promise<void> {
  await on.asSuperuser((session) =>
    session.query("select akashi_auth.add_context_key($1, $2, 'shop', $3)", [key.id, key.secret, login]),
  )
}

/** One transaction of a login, without the signer of this code base. */
function raw<T>(
  work: (session: Session) => Promise<T>,
  role: 'app' | 'worker' = 'app',
  on = database,
): Promise<T> {
  const plain = openDatabase({ url: on.url(role), role })
  return plain.transaction(tester, work).finally(() => plain.close())
}

describe('a context that another program signs', () => {
  test('matches the test vectors of the documentation', async () => {
    const page = await readFile(new URL('../../docs/request-context.md', import.meta.url), 'utf8')
    const rows = page.split('\n').filter((line) => /`[0-9a-f]{64}` \|$/.test(line))
    expect(rows).toHaveLength(2)
    for (const row of rows) {
      const [
        ,
        user = '',
        session = '',
        ip = '',
        request = '',
        endpoint = '',
        version = '',
        audience = '',
        signature,
      ] = row.split('|').map((cell) => cell.trim().replace(/^`|`$/g, ''))
      const values = [user, session, '', ip, '', request, '', '', endpoint, version, '']
      const secret = Buffer.alloc(32, 0x42)
      expect(sign({ values, expires: '1700000030', keyId: 'shop-1', secret, audience })).toBe(signature)
    }
  })

  test('is accepted for its login, whatever text names the user, and has no permission of Akashi', async () => {
    await addShopKey()
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ id: string }>(
        `with admin as (
           insert into akashi_auth.users (subject, username, email) values ('a', 'root', 'root@example.com') returning id
         ), granted as (
           insert into akashi_auth.user_roles (user_id, role_id)
           select admin.id, r.id from admin, akashi_auth.roles r where r.name = 'sys_admin'
         ) select id from admin`,
      ),
    )
    const administrator = rows[0]?.id ?? ''
    const own = await database.open('app').transaction(person({ userId: administrator }), counts)
    expect(own).toMatchObject({ by: 'akashi', allowed: true })
    for (const userId of ['42', '山田 太郎 <taro@example.jp>', administrator, "'; drop table x; --"]) {
      const seen = await raw(async (session) => {
        const { audience, now } = await audienceOf(session)
        const claims = { values: forUser(userId), expires: String(Math.floor(now) + 20), audience }
        expect(await accept(session, settingsOf({ ...claims, keyId: key.id, secret: key.secret }))).toBe(
          'shop',
        )
        return await counts(session)
      })
      expect(seen).toEqual({ by: 'shop', allowed: false, id: null, named: userId })
    }
  })

  test('is set and taken up in one statement, or fails', async () => {
    await raw(async (session) => {
      const { audience, now } = await audienceOf(session)
      const values = forUser('{a,"b"} \\ NULL')
      const claims = {
        values,
        expires: String(Math.floor(now) + 20),
        keyId: key.id,
        secret: key.secret,
        audience,
      }
      const context = [...values, claims.expires, key.id, sign(claims)]
      const set = (given: unknown) => session.query('select akashi_auth.set_context($1) as by', [given])
      expect((await set(context)).rows).toEqual([{ by: 'shop' }])
      expect(await counts(session)).toMatchObject({ by: 'shop', named: values[0] })
      for (const [given, code] of [
        [[...values, claims.expires, key.id, 'f'.repeat(64)], 'AK005'],
        [['43', ...context.slice(1)], 'AK005'],
        [context.map((value) => value || null), null],
        [[context.slice(0, 7), context.slice(7)], 'AK005'],
        [context.slice(1), '22023'],
        [[...context, ''], '22023'],
        [[], '22023'],
        [null, '22023'],
      ] as const) {
        await session.query('savepoint before')
        const outcome = await set(given).then(
          () => null,
          (error: { cause?: { code?: string } }) => error.cause?.code,
        )
        expect(outcome, JSON.stringify(given)).toBe(code)
        await session.query('rollback to before')
        expect(await counts(session)).toMatchObject({ by: 'shop', named: values[0] })
      }
    })
  })

  test('is refused when it ends too late or has ended, by the clock and not by the start of the transaction', async () => {
    await raw(async (session) => {
      const { audience, now } = await audienceOf(session)
      const at = (seconds: number) =>
        settingsOf({
          ...{ values: forUser('42'), expires: String(Math.floor(now) + seconds), audience },
          ...{ keyId: key.id, secret: key.secret },
        })
      expect(await accept(session, at(55))).toBe('shop')
      expect(await accept(session, at(3600))).toBeNull()
      expect(await counts(session)).toMatchObject({ by: null })
      const short = at(2)
      expect(await accept(session, short)).toBe('shop')
      await session.query('select pg_sleep(3)')
      // What was accepted counts until the end of the transaction; taking it up again fails.
      expect(await counts(session)).toMatchObject({ by: 'shop' })
      expect(await accept(session, short)).toBeNull()
      expect(await counts(session)).toMatchObject({ by: null })
    })
  })

  test('is refused in another database, for another login, and for another start of the server', async () => {
    const { audience, now } = await raw(audienceOf)
    const claims = (changed: string) =>
      settingsOf({
        ...{ values: forUser('42'), expires: String(Math.floor(now) + 50), audience: changed },
        ...{ keyId: key.id, secret: key.secret },
      })
    expect(await raw((session) => accept(session, claims(audience)))).toBe('shop')
    expect(await raw((session) => accept(session, claims(audience)), 'worker')).toBeNull()
    expect(await raw((session) => accept(session, claims(`x${audience}`)))).toBeNull()
    // The copy of a server has its database, its keys and its logins; it was started at another moment.
    const [name, login] = audience.split('/')
    expect(await raw((session) => accept(session, claims(`${name}/${login}/0000000000000000`)))).toBeNull()
    await migrateUp({ url: copy.url('owner'), directory: MIGRATIONS })
    await addShopKey('akashi_app', copy)
    expect(await raw((session) => accept(session, claims(audience)), 'app', copy)).toBeNull()
  })
})

describe('the settings of a transaction that accepted its context', () => {
  const app = (): Database => database.open('app')
  const read = async (session: Session): Promise<Settings> => {
    const { rows } = await session.query<{ settings: Settings }>(
      `select jsonb_object_agg(name, current_setting(name, true)) as settings
       from unnest($1::text[]) name`,
      [
        [...names, 'context_expires', 'context_key', 'context_signature', 'context_receipt'].map(
          (n) => `app.${n}`,
        ),
      ],
    )
    return rows[0]?.settings ?? {}
  }
  const userId = '019a0000-0000-7000-8000-000000000001'

  test('have no effect in another transaction, including the receipt', async () => {
    const captured = await app().transaction(person({ userId }), read)
    expect(captured['app.context_receipt']).toMatch(/^[0-9a-f]{64}$/)
    await raw(async (session) => {
      await replay(session, captured)
      expect(await counts(session)).toMatchObject({ by: null, id: null, named: null })
    })
  })

  test('are a new claim once one of them changes', async () => {
    await app().transaction(person({ userId }), async (session) => {
      expect(await counts(session)).toMatchObject({ by: 'akashi', id: userId })
      await session.query("select set_config('app.tenant_id', 'x', true)")
      expect(await counts(session)).toMatchObject({ by: null, id: null })
      await session.query("select set_config('app.tenant_id', '', true)")
      expect(await counts(session)).toMatchObject({ by: 'akashi' })
      // A separator in one field does not make up for a field that lacks.
      await session.query(
        "select set_config('app.current_user_id', $1, true), set_config('app.subject', '', true)",
        [`${userId}\u001f`],
      )
      expect(await counts(session)).toMatchObject({ by: null })
    })
  })

  test('are invalid after the key was replaced, except in transactions that began before', async () => {
    const settings = await raw(async (session) => {
      const { audience, now } = await audienceOf(session)
      const claims = { values: forUser('42'), expires: String(Math.floor(now) + 50), audience }
      const signed = settingsOf({ ...claims, keyId: key.id, secret: key.secret })
      expect(await accept(session, signed)).toBe('shop')
      await database.asSuperuser((other) =>
        other.query("update akashi_auth.context_keys set expires_at = clock_timestamp() where id = 'shop-1'"),
      )
      expect(await counts(session)).toMatchObject({ by: 'shop' })
      return signed
    })
    expect(await raw((session) => accept(session, settings))).toBeNull()
  })
})

test('a key of Akashi has no login, and every other has one', async () => {
  const add = (application: string, login: string | null) =>
    database.asSuperuser((session) =>
      session.query('select akashi_auth.add_context_key($1, $2, $3, $4)', [
        'k',
        randomBytes(32),
        application,
        login,
      ]),
    )
  await expect(add('shop', null)).rejects.toThrow(/check/)
  await expect(add('akashi', 'shop_app')).rejects.toThrow(/check/)
})
