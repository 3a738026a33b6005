import { randomInt, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AkashiError } from '../../src/foundation/index.ts'
import { type Actor, type Database, person, type Session } from '../../src/postgres/index.ts'
import { hasPgBouncer, type Pooler, startPgBouncer, testDatabase, tester } from '../support/index.ts'

const TRANSACTIONS = 10_000
const CONNECTIONS = 4
/** More than connections, so that transactions also wait for one. */
const CALLERS = 12
const TIMEOUT_MS = 300_000
/** Above the test's own, so that a cancellation that gets lost fails the test instead of only slowing it. */
const STATEMENT_TIMEOUT_MS = 2 * TIMEOUT_MS

const database = testDatabase()

const settings = {
  userId: 'app.current_user_id',
  sessionId: 'app.current_session_id',
  clientIp: 'app.client_ip',
  userAgent: 'app.user_agent',
  requestId: 'app.request_id',
  traceId: 'app.trace_id',
  correlationId: 'app.correlation_id',
  apiEndpoint: 'app.api_endpoint',
  applicationVersion: 'app.application_version',
  tenantId: 'app.tenant_id',
} as const
const names = Object.values(settings)
const readSettings = `
  select array[${names.map((name) => `coalesce(current_setting('${name}', true), '')`).join(', ')}] as seen,
         coalesce(current_setting('app.context_signature', true), '') as signature, pg_backend_pid() as pid`
const readIdentity =
  'select akashi_auth.context_verified() as verified, akashi_auth.current_user_id() as "user"'

/** Somebody with a random half of the other fields, each with a value that no other transaction has. */
function someone(): Actor {
  const given = (value: string) => (randomInt(2) === 0 ? value : undefined)
  const origin = Object.fromEntries(
    Object.keys(settings).map((key) => [key, given(`${key} ${randomUUID()}`)]),
  )
  return person(
    { userId: randomUUID(), sessionId: given(randomUUID()), tenantId: given(`tenant ${randomUUID()}`) },
    origin,
  )
}

function expected({ userId, sessionId, tenantId, origin }: Actor): string[] {
  const given = new Map(Object.entries({ ...origin, userId, sessionId, tenantId }))
  return Object.keys(settings).map((key) => given.get(key) ?? '')
}

async function expectOwnContext(session: Session, actor: Actor): Promise<void> {
  const { rows } = await session.query<{ seen: string[] }>(readSettings)
  expect(rows[0]?.seen).toEqual(expected(actor))
  const identity = await session.query(readIdentity)
  expect(identity.rows[0]).toEqual({ verified: true, user: actor.userId ?? null })
}

class Abandoned extends Error {}

/** How a transaction ends, and what its caller must then see. */
const endings: readonly ((app: Database, actor: Actor) => Promise<void>)[] = [
  (app, actor) => app.transaction(actor, (session) => expectOwnContext(session, actor)),
  (app, actor) =>
    app.transaction(actor, (session) => expectOwnContext(session, actor), {
      isolation: 'serializable',
      readOnly: true,
    }),
  async function abandoned(app, actor) {
    const work = async (session: Session) => {
      await expectOwnContext(session, actor)
      throw new Abandoned()
    }
    await expect(app.transaction(actor, work)).rejects.toBeInstanceOf(Abandoned)
  },
  async function failedStatement(app, actor) {
    const work = async (session: Session) => {
      await expectOwnContext(session, actor)
      await session.query('select 1 / 0')
    }
    await expect(app.transaction(actor, work)).rejects.toMatchObject({ code: 'invalid_input' })
  },
  async function cancelledWhileRunning(app, actor) {
    const controller = new AbortController()
    const work = async (session: Session) => {
      await expectOwnContext(session, actor)
      const sleeping = session.query('select pg_sleep(600)')
      setImmediate(() => controller.abort())
      await sleeping
    }
    await expect(app.transaction(actor, work, { signal: controller.signal })).rejects.toMatchObject({
      code: 'cancelled',
    })
  },
  async function cancelledAnywhere(app, actor) {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), randomInt(6))
    await app
      .transaction(actor, (session) => expectOwnContext(session, actor), { signal: controller.signal })
      .catch((error: unknown) => {
        // Too late to cancel is fine; anything but a cancellation is not.
        if (!(error instanceof AkashiError && error.code === 'cancelled')) {
          throw error
        }
      })
  },
]

/** Most commit; one in four ends in another way. */
function ending(): (typeof endings)[number] {
  return (
    (randomInt(4) === 0 ? endings[randomInt(endings.length)] : endings[0]) ??
    expect.fail('there is no ending')
  )
}

/** What a statement sees that a pooled connection runs outside of every transaction. */
async function rawContext(
  app: Database,
): Promise<{ seen: string[]; signature: string; pid: number } | undefined> {
  let raw: { seen: string[]; signature: string; pid: number } | undefined
  const work = async (session: Session) => {
    await session.query('commit')
    raw = (await session.query<{ seen: string[]; signature: string; pid: number }>(readSettings)).rows[0]
  }
  await expect(app.transaction(someone(), work)).rejects.toMatchObject({ code: 'internal' })
  return raw
}

async function expectIsolation(app: Database): Promise<void> {
  let left = TRANSACTIONS
  const caller = async () => {
    while (left > 0) {
      left -= 1
      await ending()(app, randomInt(10) === 0 ? tester : someone())
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  const raw = await Promise.all(Array.from({ length: CONNECTIONS * 2 }, () => rawContext(app)))
  for (const context of raw) {
    expect(context?.seen).toEqual(names.map(() => ''))
    expect(context?.signature).toBe('')
  }
}

describe('no transaction ever sees the context of another', () => {
  test('over pooled connections', { timeout: TIMEOUT_MS }, async () => {
    await expectIsolation(
      database.open('app', { poolSize: CONNECTIONS, statementTimeoutMs: STATEMENT_TIMEOUT_MS }),
    )
  })

  describe.skipIf(!hasPgBouncer())('through PgBouncer (skipped where it is not installed)', () => {
    let pooler: Pooler

    beforeAll(async () => {
      // Fewer server connections than clients: transactions of several clients meet on one.
      pooler = await startPgBouncer([database.url('app')], CONNECTIONS - 1)
    })
    afterAll(() => pooler.stop())

    test('in transaction mode', { timeout: TIMEOUT_MS }, async () => {
      const app = database.open('app', {
        url: pooler.url(database.url('app')),
        poolSize: CONNECTIONS,
        statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      })
      await expectIsolation(app)
      await app.close()
    })
  })
})
