/**
 * Two server processes, Redis between them, and a crowd of clients. AKASHI_LONG=1 takes as many clients as the
 * design asks for: 1,000 while a node is killed, and 2,000 that come back within 30 s. Redis is then away for ten minutes.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeChatPeople } from '../../bench/chat-people.ts'
import { akashiServer, type Running } from '../../scripts/akashi-process.ts'
import { openKeyring } from '../../src/keys/index.ts'
import { migrateDatabase } from '../../src/start/index.ts'
import { type Crowd, openCrowd } from '../support/chat-crowd.ts'
import { testDatabase, tester } from '../support/index.ts'
import { hasRedis, type Redis, startRedis } from '../support/redis.ts'

const LONG = process.env['AKASHI_LONG'] === '1'
const CLIENTS = LONG ? 1_000 : 100
const STORM_CLIENTS = LONG ? 2_000 : 200
const STORM_MS = LONG ? 30_000 : 2_000
const ROOMS = LONG ? 20 : 4
const MESSAGES = LONG ? 600 : 120
const PER_SECOND = 40
/** While Redis is away. */
const AWAY_MESSAGES = LONG ? 6_000 : 60
const AWAY_PER_SECOND = LONG ? 10 : 20
const CONNECT_MS = LONG ? 20_000 : 500
/** Of what is asked, not of what it takes. */
const TIME_LIMIT_MS = LONG ? 1_200_000 : 300_000

const database = testDatabase()

async function query<R>(text: string, values: readonly unknown[] = []): Promise<R[]> {
  const { rows } = await database.asSuperuser((session) => session.query<R & object>(text, values))
  return rows
}

/** Messages are there once, and so is every number of every room. */
async function expectOnce(label: string, count: number): Promise<void> {
  const [stored] = await query<{ all: number; different: number }>(
    `select count(*)::int as all, count(distinct content)::int as different from akashi_chat.messages where content like $1 || ' %'`,
    [label],
  )
  expect(stored).toEqual({ all: count, different: count })
}

/** Everybody heard everything of their room, in its order. */
async function expectAllHeard(crowd: Crowd): Promise<void> {
  const rooms = await query<{ id: string; last: number }>(
    'select room_id as id, last_sequence::int as last from akashi_chat.room_sequences',
  )
  const expected = Object.fromEntries(rooms.map(({ id, last }) => [id, [last]]))
  await expect
    .poll(async () => (await crowd.perform({ do: 'report' })).last, { timeout: TIME_LIMIT_MS })
    .toEqual(expected)
  const { faults } = await crowd.perform({ do: 'report' })
  expect(faults).toEqual([])
}

describe.skipIf(!hasRedis)('a crowd at two nodes', { timeout: TIME_LIMIT_MS }, () => {
  let folder = ''
  let redis: Redis
  let first: Running
  let second: Running
  let crowd: Crowd
  let people: Awaited<ReturnType<typeof makeChatPeople>>
  const address = ({ url }: Running) => url.replace('http', 'ws')

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'akashi-crowd-'))
    const keysUrl = pathToFileURL(join(folder, 'keys')).href
    const keyring = await openKeyring(keysUrl)
    const connections = { adminUrl: database.url('owner'), open: database.open }
    await migrateDatabase({ connections, keyring, actor: tester })
    await keyring.close()
    redis = await startRedis()
    const node = (name: string) =>
      akashiServer(['serve', '--data', join(folder, name), '--port', '0'], {
        env: {
          DATABASE_URL: database.url('server'),
          KEYS_URL: keysUrl,
          OBJECT_STORE_URL: pathToFileURL(join(folder, 'objects')).href,
          REDIS_URL: redis.url,
        },
      })
    first = await node('first')
    second = await node('second')
    crowd = openCrowd()
  })
  afterAll(async () => {
    await crowd?.close()
    await first?.stop()
    await second?.stop()
    await redis?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it('lose nothing while Redis is away', async () => {
    people = await makeChatPeople(database.url('owner'), STORM_CLIENTS, ROOMS)
    const nodes = [address(first), address(second)]
    await crowd.perform({ do: 'connect', nodes, people: people.slice(0, CLIENTS), withinMs: CONNECT_MS })
    await redis.stop()
    const { answered } = await crowd.perform({
      do: 'send',
      label: 'away',
      count: AWAY_MESSAGES,
      perSecond: AWAY_PER_SECOND,
    })
    expect(answered).toBe(AWAY_MESSAGES)
    await expectOnce('away', AWAY_MESSAGES)
    await expectAllHeard(crowd)
    redis = await startRedis(Number(new URL(redis.url).port))
  })

  it(`${CLIENTS} lose nothing, hear nothing twice and nothing out of order when one node is killed`, async () => {
    const sending = crowd.perform({ do: 'send', label: 'kill', count: MESSAGES, perSecond: PER_SECOND })
    await expect
      .poll(async () => (await crowd.perform({ do: 'report' })).answered, { timeout: TIME_LIMIT_MS })
      .toBeGreaterThan(AWAY_MESSAGES + MESSAGES / 3)
    process.kill(first.pid, 'SIGKILL')
    expect(await first.exited).toBeNull()
    const { answered } = await sending
    expect(answered).toBe(AWAY_MESSAGES + MESSAGES)
    await expectOnce('kill', MESSAGES)
    await expectAllHeard(crowd)
    // The rest come for the storm.
    await crowd.perform({
      do: 'connect',
      nodes: [address(second)],
      people: people.slice(CLIENTS),
      withinMs: CONNECT_MS,
    })
  })

  it(`${STORM_CLIENTS} come back within ${STORM_MS / 1_000} s to one node while messages go on`, async () => {
    const begun = performance.now()
    const storm = crowd.perform({ do: 'storm', withinMs: STORM_MS })
    const sending = crowd.perform({ do: 'send', label: 'storm', count: MESSAGES, perSecond: PER_SECOND })
    await storm
    const took = performance.now() - begun
    await sending
    await expectOnce('storm', MESSAGES)
    await expectAllHeard(crowd)
    if (LONG) process.stdout.write(`all ${STORM_CLIENTS} listen again after ${Math.round(took)} ms\n`)
  })
})
