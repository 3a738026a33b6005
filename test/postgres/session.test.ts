import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { anonymous, operator, person, type Session, system } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()

afterEach(() => {
  vi.useRealTimers()
})

const pid = async (session: Session) =>
  (await session.query('select pg_backend_pid() as pid')).rows[0]?.['pid']

test('streams rows in batches', async () => {
  const sizes = await database.open('app').transaction(tester, async (session) => {
    const seen: number[] = []
    for await (const rows of session.stream<{ n: number }>('select generate_series(1, $1) as n', [25], 10)) {
      seen.push(rows.length)
    }
    return seen
  })
  expect(sizes).toEqual([10, 10, 5])
})

test('a stream that is left early leaves the session usable', async () => {
  const sum = await database.open('app').transaction(tester, async (session) => {
    for await (const _rows of session.stream('select generate_series(1, 100)', [], 10)) {
      break
    }
    return (await session.query<{ sum: number }>('select 1 + 1 as sum')).rows[0]?.sum
  })
  expect(sum).toBe(2)
})

test('copies in and out', async () => {
  const owner = database.open('owner')
  const copied = await owner.transaction(tester, async (session) => {
    await session.query('create temp table lines (n int, line text)')
    const lines = Array.from({ length: 10_000 }, (_, n) => `${n}\tline ${n}\n`)
    await pipeline(Readable.from(lines), session.copyFrom('copy lines from stdin'))
    return await text(session.copyTo('copy (select * from lines order by n) to stdout'))
  })
  expect(copied.split('\n')).toHaveLength(10_001)
  expect(copied.startsWith('0\tline 0\n1\tline 1\n')).toBe(true)
})

test('a broken row fails the copy with an error of the catalogue, and the connection goes on', async () => {
  const owner = database.open('owner', { poolSize: 1 })
  const before = await owner.transaction(tester, pid)
  const transaction = owner.transaction(tester, async (session) => {
    await session.query('create temp table numbers (n int)')
    await pipeline(Readable.from(['1\n', 'secret\n']), session.copyFrom('copy numbers from stdin'))
  })
  await expect(transaction).rejects.toMatchObject({ code: 'invalid_input', detail: { sqlstate: '22P02' } })
  expect(await owner.transaction(tester, pid)).toBe(before)
})

test('a copy that nobody reads to its end costs its connection only', async () => {
  const app = database.open('app', { poolSize: 1 })
  const before = await app.transaction(tester, pid)
  const transaction = app.transaction(tester, async (session) => {
    for await (const _chunk of session.copyTo(
      'copy (select repeat($$x$$, 1000) from generate_series(1, 1000000)) to stdout',
    )) {
      break
    }
  })
  await expect(transaction).rejects.toMatchObject({
    code: 'internal',
    message: 'a copy was abandoned before its end',
  })
  expect(await app.transaction(tester, pid)).not.toBe(before)
})

test('an error of the caller while it copies stays the caller’s', async () => {
  const app = database.open('app', { poolSize: 1 })
  const failure = new Error('no more')
  const source = async function* () {
    yield '1\n'
    throw failure
  }
  const fromFailure = app.transaction(tester, async (session) => {
    await session.query('create temp table numbers (n int)')
    await pipeline(source, session.copyFrom('copy numbers from stdin'))
  })
  await expect(fromFailure).rejects.toBe(failure)
  const toFailure = app.transaction(tester, async (session) => {
    const rows = session.copyTo(
      'copy (select repeat($$x$$, 1000) from generate_series(1, 1000000)) to stdout',
    )
    await pipeline(rows, async () => Promise.reject(failure))
  })
  await expect(toFailure).rejects.toBe(failure)
  await app.transaction(tester, (session) => session.query('select 1'))
})

test('a copy under way ends with its signal', async () => {
  const app = database.open('app', { poolSize: 1 })
  const controller = new AbortController()
  const work = async (session: Session) => {
    for await (const _chunk of session.copyTo(
      'copy (select repeat($$x$$, 1000) from generate_series(1, 1000000)) to stdout',
    )) {
      controller.abort()
    }
  }
  await expect(app.transaction(tester, work, { signal: controller.signal })).rejects.toMatchObject({
    code: 'cancelled',
  })
  await app.transaction(tester, (session) => session.query('select 1'))
})

test('statements asked for at once run one after the other, and before the commit', async () => {
  await database.asSuperuser((session) =>
    session.query(
      'create table public.steps (n int generated always as identity, step text); grant all on public.steps to akashi_app',
    ),
  )
  const app = database.open('app')
  await app.transaction(tester, async (session) => {
    const steps = ['a', 'b', 'c']
    void Promise.all(
      steps.map((step) => session.query('insert into public.steps (step) values ($1)', [step])),
    )
  })
  const { rows } = await app.transaction(tester, (session) =>
    session.query('select step from public.steps order by n'),
  )
  expect(rows.map(({ step }) => step)).toEqual(['a', 'b', 'c'])
})

test('a session cannot be used after its transaction', async () => {
  const app = database.open('app')
  let kept: Session | undefined
  await app.transaction(tester, async (session) => {
    kept = session
  })
  await expect(kept?.query('select 1')).rejects.toMatchObject({ code: 'internal' })
  expect(() => kept?.copyTo('copy (select 1) to stdout')).toThrow('has ended')
})

test('a statement that takes longer than its limit times out', async () => {
  const app = database.open('app')
  const work = (session: Session) => session.query('select pg_sleep(600)')
  await expect(app.transaction(tester, work, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' })
})

test('the limit of one transaction does not apply to the next one', async () => {
  const app = database.open('app', { poolSize: 1, statementTimeoutMs: 7_000 })
  const limit = async (session: Session) =>
    (await session.query('show statement_timeout')).rows[0]?.['statement_timeout']
  expect(await app.transaction(tester, limit, { timeoutMs: 0 })).toBe('0')
  expect(await app.transaction(tester, limit)).toBe('7s')
})

test('AbortSignal.timeout() is a timeout', async () => {
  const app = database.open('app')
  const work = (session: Session) => session.query('select pg_sleep(600)')
  const signal = AbortSignal.timeout(50)
  await expect(app.transaction(tester, work, { signal })).rejects.toMatchObject({ code: 'timeout' })
})

test('a signal ends the wait for a connection', async () => {
  const app = database.open('app', { poolSize: 1 })
  const release = Promise.withResolvers<void>()
  const holder = app.transaction(tester, () => release.promise)
  const controller = new AbortController()
  const waiting = app.transaction(tester, () => expect.fail('it must not run'), {
    signal: controller.signal,
  })
  controller.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' })
  release.resolve()
  await holder
  await app.transaction(tester, (session) => session.query('select 1'))
})

test('read-only transactions write nothing', async () => {
  const app = database.open('app')
  const work = (session: Session) =>
    session.query('create temp table t ()').then(() => session.query('create sequence s'))
  await expect(app.transaction(tester, work, { readOnly: true })).rejects.toMatchObject({
    code: 'unsupported',
  })
})

test('the owner’s transactions run as akashi_owner, and only they', async () => {
  const owner = database.open('owner', { poolSize: 1 })
  const who = async (session: Session) =>
    (await session.query('select current_user as name')).rows[0]?.['name']
  expect(await owner.transaction(tester, who)).toBe('akashi_owner')
  expect(await owner.direct(who)).not.toBe('akashi_owner')
})

test('a context stays verified when the clocks of the two machines differ', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 })
  const app = database.open('app', { poolSize: 1 })
  const verified = async (session: Session) =>
    (await session.query('select akashi_auth.context_verified() as yes')).rows[0]?.['yes']
  expect(await app.transaction(tester, verified)).toBe(true)
  expect(await app.transaction(tester, verified)).toBe(true)
})

const NOBODY = '0199d3a0-0000-7000-8000-00000000000a'

test.each([
  person({ userId: 'a\nb' }),
  person({ userId: NOBODY, sessionId: 'x'.repeat(256) }),
  person({ userId: NOBODY, tenantId: 'a\0b' }),
  operator({ account: 'a\u001fb', command: 'akashi verify' }),
  system('x'.repeat(256)),
])('an actor whose identity does not fit is refused: %j', async (actor) => {
  const app = database.open('app')
  await expect(app.transaction(actor, () => expect.fail('it must not run'))).rejects.toMatchObject({
    code: 'invalid_input',
  })
})

test('what describes the request is cut and cleaned, and stays verified', async () => {
  const app = database.open('app')
  const seen = await app.transaction(
    anonymous('test', { userAgent: `a\0b\u001fc${'🙂'.repeat(400)}` }),
    async (session) => {
      const { rows } = await session.query(
        `select akashi_auth.context_verified() as verified, current_setting('app.user_agent') as agent`,
      )
      return rows[0]
    },
  )
  expect(seen).toMatchObject({ verified: true, agent: expect.stringMatching(/^a\ufffdb\ufffdc🙂+\ufffd$/u) })
})

test('a direct session hears notifications and has transactions of its own', async () => {
  const worker = database.open('worker')
  const heard = Promise.withResolvers<string>()
  await worker.direct(async (session) => {
    await session.listen('Some channel', heard.resolve)
    await session.transaction(tester, (inner) => inner.query(`select pg_notify('Some channel', 'hello')`))
    expect(await heard.promise).toBe('hello')
  })
})

test('a direct session tells when its connection is lost', async () => {
  const worker = database.open('worker')
  const lost = worker.direct(async (session) => {
    const end = new Promise((resolve) => session.lost.addEventListener('abort', resolve))
    const own = await pid(session)
    await database.asSuperuser((other) => other.query('select pg_terminate_backend($1)', [own]))
    await end
    await session.query('select 1')
  })
  await expect(lost).rejects.toMatchObject({ code: 'unavailable' })
})

test('a direct session ends with its signal', async () => {
  const worker = database.open('worker')
  const controller = new AbortController()
  const waiting = worker.direct(
    async (session) => {
      const sleeping = session.query('select pg_sleep(600)')
      setImmediate(() => controller.abort())
      await sleeping
    },
    { signal: controller.signal },
  )
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' })
})
