import { beforeEach, describe, expect, test } from 'vitest'
import type { Session } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()

beforeEach(() =>
  database.asSuperuser((session) =>
    session.query(`
      drop table if exists public.counters;
      create table public.counters (id int primary key, value int not null);
      insert into public.counters values (1, 0), (2, 0);
      grant all on public.counters to akashi_app`),
  ),
)

async function values(): Promise<unknown[]> {
  const { rows } = await database.asSuperuser((session) =>
    session.query('select value from public.counters order by id'),
  )
  return rows.map(({ value }) => value)
}

async function addOne(session: Session): Promise<void> {
  const { rows } = await session.query<{ value: number }>('select value from public.counters where id = 1')
  await session.query('update public.counters set value = $1 where id = 1', [(rows[0]?.value ?? 0) + 1])
}

test('a connection that is as old as it may become is replaced', async () => {
  const app = database.open('app', { poolSize: 1, lifetimeS: 1 })
  const process = () =>
    app.transaction(tester, async (session) => {
      const { rows } = await session.query<{ pid: number }>('select pg_backend_pid() as pid')
      return rows[0]?.pid
    })
  const first = await process()
  await expect.poll(process).not.toBe(first)
})

test('connections that nobody uses are closed', async () => {
  const app = database.open('app', { poolSize: 2, idleMs: 50, applicationName: 'idle for long' })
  const connected = async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query(`select from pg_stat_activity where application_name = 'idle for long'`),
    )
    return rows.length
  }
  await app.transaction(tester, async () => expect(await connected()).toBe(1))
  await expect.poll(connected).toBe(0)
})

test('concurrent serializable transactions all succeed, none lost', async () => {
  const app = database.open('app', { poolSize: 4 })
  const add = () => app.transaction(tester, addOne, { isolation: 'serializable', retries: 100 })
  await Promise.all(Array.from({ length: 20 }, add))
  expect(await values()).toEqual([20, 0])
})

test('a serialization failure is a conflict once the retries are used up', async () => {
  const app = database.open('app', { poolSize: 2 })
  let runs = 0
  const loser = app.transaction(
    tester,
    async (session) => {
      runs += 1
      await session.query('select * from public.counters')
      await app.transaction(tester, (other) =>
        other.query('update public.counters set value = value + 1 where id = 1'),
      )
      await session.query('update public.counters set value = 0 where id = 1')
    },
    { isolation: 'repeatable read', retries: 2 },
  )
  await expect(loser).rejects.toMatchObject({ code: 'conflict', detail: { sqlstate: '40001' } })
  expect(runs).toBe(3)
  expect(await values()).toEqual([3, 0])
})

test('a serialization failure of COMMIT is retried', async () => {
  const app = database.open('app', { poolSize: 2 })
  let runs = 0
  // Write skew that closes only at the commit: each transaction reads what the other writes.
  await app.transaction(
    tester,
    async (session) => {
      runs += 1
      const { rows } = await session.query<{ total: bigint }>(
        'select sum(value) as total from public.counters',
      )
      if (runs === 1) {
        await app.transaction(
          tester,
          async (other) => {
            await other.query('select sum(value) from public.counters')
            await other.query('update public.counters set value = value + 1 where id = 2')
            await session.query('update public.counters set value = value + 10 where id = 1')
          },
          { isolation: 'serializable', retries: 0 },
        )
      } else {
        await session.query('update public.counters set value = value + 10 + $1 where id = 1', [
          Number(rows[0]?.total) * 100,
        ])
      }
    },
    { isolation: 'serializable' },
  )
  expect(runs).toBe(2)
  expect(await values()).toEqual([110, 1])
})

test('a deadlock is retried', async () => {
  const app = database.open('app', { poolSize: 2 })
  const met = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  const swap = (first: number, second: number, mine: 0 | 1) =>
    app.transaction(tester, async (session) => {
      await session.query('update public.counters set value = value + 1 where id = $1', [first])
      met[mine].resolve()
      await met[mine === 0 ? 1 : 0].promise
      await session.query('update public.counters set value = value + 1 where id = $1', [second])
    })
  await Promise.all([swap(1, 2, 0), swap(2, 1, 1)])
  expect(await values()).toEqual([2, 2])
})

describe('not retried:', () => {
  test('a transaction whose commit got no response', async () => {
    const app = database.open('app', { poolSize: 1 })
    let runs = 0
    await database.asSuperuser((session) =>
      session.query(`
        create or replace function public.die() returns trigger language plpgsql security definer as
          $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
        create constraint trigger die after update on public.counters deferrable initially deferred
          for each row execute function public.die()`),
    )
    const transaction = app.transaction(tester, async (session) => {
      runs += 1
      await session.query('update public.counters set value = 1 where id = 1')
    })
    await expect(transaction).rejects.toMatchObject({ code: 'unavailable', detail: { committed: 'unknown' } })
    expect(runs).toBe(1)
    await app.transaction(tester, (session) => session.query('select 1'))
  })

  test('a transaction that fails for another reason', async () => {
    const app = database.open('app')
    let runs = 0
    const work = async (session: Session) => {
      runs += 1
      await session.query('insert into public.counters values (1, 1)')
    }
    await expect(app.transaction(tester, work)).rejects.toMatchObject({ code: 'already_exists' })
    expect(runs).toBe(1)
  })
})
