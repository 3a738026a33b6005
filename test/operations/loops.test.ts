import { afterEach, expect, test, vi } from 'vitest'
import { type Loop, type LoopOptions, leaderLockHolders, runLoop } from '../../src/operations/index.ts'
import { releaseLock, tryLock } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { keepingLog } from './keeping-log.ts'

const PATIENCE = { timeout: 20_000, interval: 20 }

const database = testDatabase()
const loops: Loop[] = []

afterEach(async () => {
  await Promise.all(loops.splice(0).map((loop) => loop.stop()))
})

function start(name: string, work: LoopOptions['work'], signal = new AbortController().signal) {
  const log = keepingLog()
  const loop = runLoop({ name, worker: database.open('worker'), intervalMs: 10, work, signal, log })
  loops.push(loop)
  return { loop, log }
}

test('one leads, and another takes over when it stops', async () => {
  const rounds = { first: 0, second: 0 }
  const first = start('takeover', async () => {
    rounds.first += 1
  })
  await vi.waitFor(() => expect(rounds.first).toBeGreaterThan(0), PATIENCE)
  start('takeover', async () => {
    rounds.second += 1
  })
  const before = rounds.first
  await vi.waitFor(() => expect(rounds.first).toBeGreaterThan(before + 20), PATIENCE)
  expect(rounds.second).toBe(0)
  await first.loop.stop()
  const last = rounds.first
  await vi.waitFor(() => expect(rounds.second).toBeGreaterThan(0), PATIENCE)
  expect(rounds.first).toBe(last)
})

test('a leader that loses its connection is told, and the loop goes on', async () => {
  let told = 0
  let rounds = 0
  const work: LoopOptions['work'] = async ({ session, signal }) => {
    rounds += 1
    if (rounds === 1) {
      await session.query('select pg_terminate_backend(pg_backend_pid())').catch(() => undefined)
      await vi.waitFor(() => expect(signal.aborted).toBe(true), PATIENCE)
      told += 1
    }
  }
  start('lost', work)
  await vi.waitFor(() => expect(rounds).toBeGreaterThan(2), PATIENCE)
  expect(told).toBe(1)
})

test('never do two rounds run at the same time while leaders stop and others take over', async () => {
  let inside = 0
  let most = 0
  const leaders = new Set<string>()
  const running = ['a', 'b', 'c'].map((who) => {
    const { loop } = start('exclusive', async ({ session }) => {
      inside += 1
      most = Math.max(most, inside)
      leaders.add(who)
      await session.query('select pg_sleep(0.02)')
      inside -= 1
    })
    return { who, loop }
  })
  for (let count = 1; count <= running.length; count += 1) {
    await vi.waitFor(() => expect(leaders.size).toBe(count), PATIENCE)
    const leader = [...leaders].at(-1)
    await running.find(({ who }) => who === leader)?.loop.stop()
  }
  expect(most).toBe(1)
})

test('a round that fails is logged and tried again', async () => {
  let rounds = 0
  const { log } = start('failing', () => {
    rounds += 1
    return rounds < 3 ? Promise.reject(new Error('the disk is full')) : Promise.resolve()
  })
  await vi.waitFor(() => expect(rounds).toBeGreaterThan(4), PATIENCE)
  const failures = log.lines.filter((line) => line.includes('the disk is full'))
  expect(failures).toHaveLength(2)
})

test('the signal ends the loop after the round that obeys it', async () => {
  const controller = new AbortController()
  let state = 'before'
  const { loop } = start(
    'stopping',
    async ({ signal }) => {
      state = 'inside'
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      state = 'after'
    },
    controller.signal,
  )
  await vi.waitFor(() => expect(state).toBe('inside'), PATIENCE)
  controller.abort()
  await loop.done
  expect(state).toBe('after')
})

test('loops of different names lead side by side', async () => {
  const seen = new Set<string>()
  for (const name of ['one', 'two']) {
    start(name, async () => {
      seen.add(name)
    })
  }
  await vi.waitFor(() => expect(seen.size).toBe(2), PATIENCE)
})

test('a login that takes the locks of migrations and of the queue holds nobody up', async () => {
  const names = ['akashi.migrations', 'akashi.queue']
  await database.open('reader').direct(async (foreign) => {
    await foreign.query('select pg_advisory_lock(hashtextextended(name, 0)) from unnest($1::text[]) name', [
      names,
    ])
    await database.open('worker').direct(async (own) => {
      const first = await tryLock(own, 'akashi.queue', 'worker')
      expect(first).toMatchObject({ key: expect.any(BigInt), taken: false, others: 'akashi_reader' })
      await database.open('worker').direct(async (second) => {
        expect(await tryLock(second, 'akashi.queue', 'worker')).toMatchObject({ key: null, taken: true })
        await releaseLock(own, first.key ?? 0n)
        expect((await tryLock(second, 'akashi.queue', 'worker')).key).toBe(first.key)
      })
    })
    await database.asSuperuser(async (own) => {
      expect((await tryLock(own, 'akashi.migrations', 'owner')).key).not.toBeNull()
    })
  })
})

test('a login that takes the lock stops no leader, and is named', async () => {
  let rounds = 0
  const taken = Promise.withResolvers<void>()
  const done = Promise.withResolvers<void>()
  const reader = database.open('reader').direct(async (session) => {
    await session.query("select pg_advisory_lock(hashtextextended('akashi.loop/seal', 0))")
    taken.resolve()
    await done.promise
  })
  await taken.promise
  const { log } = start('seal', async () => {
    rounds += 1
  })
  let other = 0
  start('seal', async () => {
    other += 1
  })
  await vi.waitFor(() => expect(rounds + other).toBeGreaterThan(5), PATIENCE)
  expect(Math.min(rounds, other)).toBe(0)
  expect(log.lines.join(' ')).toContain('akashi_reader')
  const worker = database.open('worker')
  expect(await leaderLockHolders(worker, tester)).toMatchObject([{ loop: 'seal', login: 'akashi_reader' }])
  // The first lock is free again: whoever leads by another goes on alone.
  done.resolve()
  await reader
  await vi.waitFor(async () => expect(await leaderLockHolders(worker, tester)).toEqual([]), PATIENCE)
  const before = rounds + other
  await vi.waitFor(() => expect(rounds + other).toBeGreaterThan(before + 150), PATIENCE)
  expect(Math.min(rounds, other)).toBe(0)
})
