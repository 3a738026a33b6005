import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  type Actor,
  anonymous,
  type Database,
  operator,
  person,
  service,
  system,
} from '../../src/postgres/index.ts'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()
const app = database.open('app')
const userId = '0199d3a0-0000-7000-8000-00000000000a'
const keyId = '0199d3a0-0000-7000-8000-00000000000b'

async function recordedOf(actor: Actor): Promise<unknown> {
  const id = await app.transaction(actor, async (session) => {
    const { rows } = await session.query<{ id: string }>(
      "select akashi_audit.record_action('seen', 'see', 'a page') as id",
    )
    return rows[0]?.id
  })
  const { rows } = await database.asSuperuser((session) =>
    session.query(
      `select user_id, session_id, subject, host(ip_address) as ip, api_endpoint, context_verified as verified
       from akashi_audit.audit_logs where id = $1`,
      [id],
    ),
  )
  return rows[0]
}

describe('the trail names', () => {
  const nobody = { user_id: null, session_id: null, ip: null, api_endpoint: null, verified: true }

  test.each([
    [
      'a person',
      person({ userId, sessionId: keyId }, { clientIp: '192.0.2.7', apiEndpoint: 'GET /things' }),
      { user_id: userId, session_id: keyId, subject: null, ip: '192.0.2.7', api_endpoint: 'GET /things' },
    ],
    ['a service', service({ name: 'billing', keyId }), { session_id: keyId, subject: 'service:billing' }],
    ['a job', system('identity-purge'), { subject: 'system:identity-purge' }],
    [
      'an operator and the command',
      operator({ account: 'hanako', command: 'akashi users list' }),
      { subject: 'operator:hanako', api_endpoint: 'akashi users list' },
    ],
    [
      'nobody, and why',
      anonymous('no credentials', { clientIp: '192.0.2.8' }),
      { subject: 'anonymous:no credentials', ip: '192.0.2.8' },
    ],
  ])('%s', async (_, actor, expected) => {
    expect(await recordedOf(actor)).toEqual({ ...nobody, ...expected })
  })
})

describe('only its constructors give an actor', () => {
  const transaction = (actor: Actor) => app.transaction(actor, (session) => session.query('select 1'))

  test.each([
    ['an empty object', {}],
    ['an object with the fields of one', { ...person({ userId }) }],
    ['a copy with another subject', { ...system('seal'), subject: 'service:billing' }],
    ['the constructor itself', anonymous],
    ['nothing', undefined],
  ])('%s is refused', async (_, actor) => {
    // What JavaScript would let through.
    await expect(transaction(actor as unknown as Actor)).rejects.toMatchObject({
      code: 'internal',
      message: 'a transaction was begun without an actor',
    })
  })

  test('nor does the compiler take anything else', () => {
    type Given = Parameters<Database['transaction']>[0]
    expectTypeOf<Record<string, never>>().not.toExtend<Given>()
    expectTypeOf<{ readonly userId: string }>().not.toExtend<Given>()
    expectTypeOf<typeof anonymous>().not.toExtend<Given>()
    expectTypeOf<Pick<Actor, keyof Actor>>().not.toExtend<Given>()
    expectTypeOf<ReturnType<typeof system>>().toExtend<Given>()
  })

  test('a job and a reason have a name', () => {
    expect(() => system('')).toThrow('without a job')
    expect(() => anonymous('')).toThrow('without a reason')
  })
})
