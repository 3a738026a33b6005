import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPasswords, signInWithPassword } from '../../src/identity/index.ts'
import { openDatabase } from '../../src/postgres/index.ts'
import { testDatabase } from '../support/index.ts'
import { from, PASSWORD, testServer } from './server.ts'

const database = testDatabase()
const server = testServer(database)
const THRESHOLD = 5
const WRONG = 'not the kettle tram'

function ask<R>(text: string, values: unknown[] = []): Promise<R[]> {
  return database.asSuperuser(async (session) => (await session.query<R>(text, values)).rows)
}

/** Signs in from an address; answers how it ended. */
function attempts(address: string, login: string) {
  const passwords = openPasswords()
  const parts = () => ({ ...server.identity().login, passwords })
  return {
    passwords,
    try: (password: string): Promise<string> =>
      signInWithPassword(parts(), from(address), { login, password }).then(
        ({ step }) => step,
        (error: { code: string }) => error.code,
      ),
  }
}

function policy(key: string, value: number): Promise<unknown> {
  return ask('update akashi_auth.security_policies set value = to_jsonb($2::integer) where key = $1', [
    key,
    value,
  ])
}

function counted<T extends string>(values: readonly T[]): Record<string, number> {
  return Object.fromEntries(
    [...new Set(values)].sort().map((value) => [value, values.filter((each) => each === value).length]),
  )
}

describe('50 wrong passwords at once', () => {
  it.each(['parallel-victim', 'nobody-at-all'])(
    'evaluate at most the threshold of them (%s)',
    async (login) => {
      if (login === 'parallel-victim') await server.user(login)
      const { passwords, try: signIn } = attempts('198.51.100.7', login)
      const answers = await Promise.all(Array.from({ length: 50 }, () => signIn(WRONG)))
      expect(passwords.evaluated).toBe(THRESHOLD)
      expect(counted(answers)).toEqual({ rate_limited: 45, unauthenticated: THRESHOLD })
      // Also the right one is not looked at now.
      expect(await signIn(PASSWORD)).toBe('rate_limited')
      expect(passwords.evaluated).toBe(THRESHOLD)
    },
  )

  it('are all on record, and make one event of a locked account', async () => {
    const [user] = await ask<{ id: string }>(
      `select id from akashi_auth.users where username = 'parallel-victim'`,
    )
    expect(
      await ask(
        'select result, counted, count(*)::integer as attempts from akashi_auth.login_attempts where user_id = $1 group by 1, 2 order by 1',
        [user?.id],
      ),
    ).toEqual([
      { result: 'denied', counted: false, attempts: 46 },
      { result: 'failure', counted: true, attempts: 5 },
    ])
    expect(
      await ask(
        `select severity, host(source_ip) as ip, user_name from akashi_security.security_events where event_type = 'account_locked' and user_id = $1`,
        [user?.id],
      ),
    ).toEqual([{ severity: 'medium', ip: '198.51.100.7', user_name: null }])
  })
})

describe('a lock', () => {
  it('is of the address that guessed: the owner signs in from elsewhere', async () => {
    await server.user('locked-out')
    const attacker = attempts('198.51.100.8', 'locked-out')
    for (let i = 0; i < THRESHOLD; i += 1) await attacker.try(WRONG)
    expect(await attacker.try(PASSWORD)).toBe('rate_limited')
    expect(await attempts('203.0.113.5', 'locked-out').try(PASSWORD)).toBe('done')
    expect(await attempts('2001:db8::1', 'locked-out').try(PASSWORD)).toBe('done')
    expect(await attacker.try(PASSWORD)).toBe('rate_limited')
  })

  it('counts a whole network of IPv6 as one address', async () => {
    await server.user('sixes')
    for (let i = 0; i < THRESHOLD; i += 1) await attempts(`2001:db8:5::${i + 1}`, 'sixes').try(WRONG)
    expect(await attempts('2001:db8:5::beef', 'sixes').try(PASSWORD)).toBe('rate_limited')
    expect(await attempts('2001:db8:6::1', 'sixes').try(PASSWORD)).toBe('done')
  })

  it('counts what was typed, in any width and case, and does not tell that two names are one person’s', async () => {
    await server.user('two-names')
    for (const typed of ['two-names', 'TWO-NAMES', ' two-names ', 'ｔｗｏ－ｎａｍｅｓ', 'two-nаmes']) {
      await attempts('198.51.100.9', typed).try(WRONG)
    }
    expect(await attempts('198.51.100.9', 'Two-Names').try(PASSWORD)).toBe('rate_limited')
    expect(await attempts('198.51.100.9', 'two-names@example.com').try(WRONG)).toBe('unauthenticated')
    for (const typed of [
      'nobody-here',
      'NOBODY-HERE',
      ' nobody-here ',
      'ｎｏｂｏｄｙ－ｈｅｒｅ',
      'nobody-hеre',
    ]) {
      await attempts('198.51.100.19', typed).try(WRONG)
    }
    expect(await attempts('198.51.100.19', 'Nobody-Here').try(WRONG)).toBe('rate_limited')
    expect(await attempts('198.51.100.19', 'nobody-here@example.com').try(WRONG)).toBe('unauthenticated')
  })

  it('ends with its time, and the count begins anew', async () => {
    await server.user('patient')
    const owner = attempts('198.51.100.10', 'patient')
    for (let i = 0; i < THRESHOLD; i += 1) await owner.try(WRONG)
    await ask(
      `update akashi_auth.login_throttles set locked_until = clock_timestamp() - interval '1 second' where locked_until is not null`,
    )
    expect(await owner.try(WRONG)).toBe('unauthenticated')
    expect(await owner.try(PASSWORD)).toBe('done')
  })

  it('never comes of failures that are spread out, or that a right password is between', async () => {
    await server.user('clumsy')
    const owner = attempts('198.51.100.11', 'clumsy')
    for (let round = 0; round < 3; round += 1) {
      for (let i = 0; i < THRESHOLD - 1; i += 1) expect(await owner.try(WRONG)).toBe('unauthenticated')
      expect(await owner.try(PASSWORD)).toBe('done')
    }
    for (let i = 0; i < THRESHOLD - 1; i += 1) await owner.try(WRONG)
    await ask(`update akashi_auth.login_throttles set window_started = clock_timestamp() - interval '1 day'`)
    for (let i = 0; i < THRESHOLD - 1; i += 1) expect(await owner.try(WRONG)).toBe('unauthenticated')
  })

  it('of an address stops it from trying one password on many accounts', async () => {
    await policy('lockout.address_threshold', 8)
    try {
      const answers: string[] = []
      for (let i = 0; i < 10; i += 1) answers.push(await attempts('198.51.100.12', `sprayed-${i}`).try(WRONG))
      expect(counted(answers)).toEqual({ rate_limited: 2, unauthenticated: 8 })
    } finally {
      await policy('lockout.address_threshold', 50)
    }
  })
})

describe('guesses from everywhere', () => {
  beforeAll(() => policy('lockout.account_threshold', 6))
  afterAll(() => policy('lockout.account_threshold', 100))

  it('stop at the account, but not where its owner signed in before', async () => {
    await server.user('famous')
    expect(await attempts('203.0.113.20', 'famous').try(PASSWORD)).toBe('done')
    const answers: string[] = []
    for (let i = 0; i < 9; i += 1) answers.push(await attempts(`198.51.101.${i}`, 'famous').try(WRONG))
    expect(counted(answers)).toEqual({ rate_limited: 3, unauthenticated: 6 })
    expect(await attempts('198.51.101.99', 'famous').try(PASSWORD)).toBe('rate_limited')
    expect(await attempts('203.0.113.20', 'famous').try(PASSWORD)).toBe('done')
    expect(await attempts('198.51.101.98', 'famous').try(PASSWORD)).toBe('rate_limited')
  })
})

it('an attempt that is not looked at does not count', async () => {
  await server.user('busy-day')
  const { login } = server.identity()
  const busy = { ...login.passwords, verify: () => Promise.reject(new Error('too busy')) }
  for (let i = 0; i < THRESHOLD * 2; i += 1) {
    await expect(
      signInWithPassword({ ...login, passwords: busy }, from('198.51.100.13'), {
        login: 'busy-day',
        password: PASSWORD,
      }),
    ).rejects.toThrow('too busy')
  }
  expect(await attempts('198.51.100.13', 'busy-day').try(PASSWORD)).toBe('done')
})

it('signing in needs a signed context', async () => {
  const unsigned = openDatabase({ url: database.url('worker'), role: 'worker' })
  await expect(
    unsigned.transaction(from('198.51.100.14'), (session) =>
      session.query('select * from akashi_auth.begin_login(null, $1)', [Buffer.alloc(32)]),
    ),
  ).rejects.toMatchObject({ code: 'forbidden' })
  await unsigned.close()
})
