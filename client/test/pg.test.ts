import { finished } from 'node:stream/promises'
import { ContextError, currentActor, withActor } from '@akashi/client'
import { withContext } from '@akashi/client/pg'
import pg from 'pg'
import copy from 'pg-copy-streams'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { hasPgBouncer, startPgBouncer } from '../../test/support/index.ts'
import { shopDatabase } from './database.ts'

const shop = shopDatabase()
const pools: pg.Pool[] = []

function open(options: pg.PoolConfig = {}): pg.Pool {
  const pool = withContext(new pg.Pool({ connectionString: shop.appUrl, max: 1, ...options }), {
    key: shop.key,
  })
  pools.push(pool)
  return pool
}

afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(pools.splice(0).map((pool) => pool.end()))
  await shop.asSuperuser((session) => session.query('truncate orders'))
})

const verified = 'select akashi_auth.context_user() as user, akashi_auth.context_verified() as ok'
const nobody = { user: null, ok: false }

describe('a pool with context', () => {
  it('signs single statements, with and without values, and leaves nothing on the connection', async () => {
    const pool = open()
    const inside = await withActor({ userId: 42, requestId: 'r-1', clientIp: '203.0.113.9' }, async () => {
      await pool.query('insert into orders (id, item) values ($1, $2)', [1, 'tea'])
      await pool.query("update orders set item = 'coffee'")
      return await pool.query(verified)
    })
    expect(inside.rows).toEqual([{ user: '42', ok: true }])
    expect((await pool.query(verified)).rows).toEqual([nobody])
    const settings = await pool.query("select current_setting('app.current_user_id', true) as user")
    expect(settings.rows[0].user ?? '').toBe('')
    const row = {
      user_id: '42',
      request_id: 'r-1',
      signed_by: 'shop',
      context_verified: true,
      record_id: '1',
    }
    expect((await shop.trail()).slice(-2)).toEqual([row, row])
  })

  it.each([`O'Brien "x" \\ {a,b}`, 'NULL', '\\', '"', '{}', ' ', '山田 太郎'])(
    'signs for the user %s',
    async (userId) => {
      const { rows } = await withActor({ userId }, () => open().query(verified))
      expect(rows).toEqual([{ user: userId, ok: true }])
    },
  )

  it('signs transactions of every isolation level, and what follows a savepoint', async () => {
    const pool = open()
    await withActor({ userId: 'taro' }, async () => {
      const client = await pool.connect()
      for (const begin of [
        'BEGIN',
        'begin;',
        'start transaction isolation level serializable',
        '/* x */ begin',
      ]) {
        await client.query(begin)
        expect((await client.query(verified)).rows).toEqual([{ user: 'taro', ok: true }])
        await client.query('savepoint a')
        await expect(client.query('select 1/0')).rejects.toThrow('division by zero')
        await client.query('rollback to savepoint a')
        expect((await client.query(verified)).rows).toEqual([{ user: 'taro', ok: true }])
        await client.query('commit')
      }
      await client.query('start transaction')
      await client.query('set transaction isolation level repeatable read')
      const { rows } = await client.query("select current_setting('transaction_isolation') as level")
      expect(rows).toEqual([{ level: 'repeatable read' }])
      await client.query('rollback')
      client.release()
    })
    expect((await pool.query(verified)).rows).toEqual([nobody])
  })

  it('signs texts of several statements, also with a transaction of their own', async () => {
    const pool = open()
    await withActor({ userId: 'taro' }, async () => {
      await pool.query('insert into orders (id) values (1); insert into orders (id) values (2)')
      await pool.query('begin; insert into orders (id) values (3); commit')
    })
    expect((await shop.trail()).slice(-3).map(({ user_id }) => user_id)).toEqual(['taro', 'taro', 'taro'])
    expect((await pool.query(verified)).rows).toEqual([nobody])
  })

  it('survives statements that fail', async () => {
    const pool = open()
    await withActor({ userId: 'taro' }, async () => {
      const client = await pool.connect()
      await expect(client.query('select 1/0')).rejects.toThrow('division by zero')
      await expect(client.query('select $1::int', ['x'])).rejects.toThrow('invalid input syntax')
      await expect(client.query('select 1; select 1/0')).rejects.toThrow('division by zero')
      await expect(client.query({ name: 'a', text: 'select nothing' })).rejects.toThrow('does not exist')
      expect((await client.query({ name: 'a', text: verified })).rows).toEqual([{ user: 'taro', ok: true }])
      expect((await client.query({ name: 'a', text: verified })).rows).toEqual([{ user: 'taro', ok: true }])
      client.release()
    })
  })

  it('runs what cannot run in a transaction', async () => {
    const pool = open()
    await withActor({ userId: 'taro' }, () => pool.query('vacuum orders'))
  })
})

describe('an actor', () => {
  it('stays with the caller who waits for a connection that another gives back', async () => {
    const pool = open()
    const seen = await Promise.all(
      Array.from({ length: 20 }, (_, number) =>
        withActor({ userId: number }, async () => {
          const viaCallback = new Promise((resolve, reject) => {
            void pool.query(verified, (error, result) => {
              if (error) reject(error)
              else resolve([result.rows[0].user, currentActor()?.userId])
            })
          })
          const { rows } = await pool.query(verified)
          return [number, rows[0].user, await viaCallback]
        }),
      ),
    )
    expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => [n, String(n), [String(n), n]]))
  })

  it('is refused in the transaction of another, whose changes would be recorded as theirs', async () => {
    const pool = open()
    const client = await pool.connect()
    await withActor({ userId: 'taro' }, () => client.query('begin'))
    await expect(withActor({ userId: 'hanako' }, () => client.query('select 1'))).rejects.toThrow(
      ContextError,
    )
    await expect(client.query('insert into orders (id) values (1)')).rejects.toThrow(/outside of withActor/)
    await withActor({ userId: 'taro' }, () => client.query('insert into orders (id) values (1)'))
    await client.query('rollback')
    client.release()
  })

  it('does not go on with a transaction that somebody left open', async () => {
    const pool = open()
    await withActor({ userId: 'taro' }, async () => {
      const client = await pool.connect()
      await client.query('begin')
      await client.query('insert into orders (id) values (1)')
      client.release()
    })
    expect((await pool.query(verified)).rows).toEqual([nobody])
    expect((await pool.query('select id from orders')).rows).toEqual([])
  })

  it.each(['a\nb', 'x'.repeat(256), '\ud800'])('with the name %j is refused', (userId) => {
    expect(() => withActor({ userId }, () => undefined)).toThrow(ContextError)
  })
})

describe('queries of other packages', () => {
  it('are signed in a transaction of their own', async () => {
    const pool = open()
    await withActor({ userId: 'taro' }, async () => {
      const client = await pool.connect()
      const sink = client.query(copy.from('copy orders (id, item) from stdin'))
      sink.end('1\ttea\n2\tcoffee\n')
      await finished(sink)
      const source = client.query(copy.to(`copy (${verified}) to stdout`))
      expect(await source.setEncoding('utf8').toArray()).toEqual(['taro\tt\n'])
      await client.query('begin')
      const more = client.query(copy.from('copy orders (id) from stdin'))
      more.end('3\n')
      await finished(more)
      await client.query('commit')
      client.release()
    })
    expect((await pool.query('select id from orders order by id')).rows.map(({ id }) => id)).toEqual([
      1, 2, 3,
    ])
    expect((await shop.trail()).slice(-3).map(({ user_id }) => user_id)).toEqual(['taro', 'taro', 'taro'])
  })
})

describe('a context that the database does not accept', () => {
  it('is signed again when the server behind the connection is another one', async () => {
    const pool = open()
    await withActor({ userId: 'taro' }, async () => {
      await pool.query('select 1')
      // A clock that is an hour off stands for whatever made the last look at the server untrue.
      vi.useFakeTimers({ now: Date.now() - 3_600_000, toFake: ['Date'] })
      expect((await pool.query(verified)).rows).toEqual([{ user: 'taro', ok: true }])
      vi.setSystemTime(Date.now() - 3_600_000)
      const client = await pool.connect()
      await client.query('begin isolation level serializable')
      expect((await client.query(verified)).rows).toEqual([{ user: 'taro', ok: true }])
      const { rows } = await client.query("select current_setting('transaction_isolation') as level")
      expect(rows).toEqual([{ level: 'serializable' }])
      await client.query('commit')
      vi.setSystemTime(Date.now() - 3_600_000)
      await client.query('select 1; insert into orders (id) values (1)')
      client.release()
      vi.useRealTimers()
    })
    expect((await shop.trail()).at(-1)).toMatchObject({ user_id: 'taro', context_verified: true })
  })

  it('lets no statement through', async () => {
    const wrong = `${shop.key.slice(0, -4)}0000`
    const pool = withContext(new pg.Pool({ connectionString: shop.appUrl, max: 1 }), { key: wrong })
    pools.push(pool)
    await withActor({ userId: 'taro' }, async () => {
      await expect(pool.query('insert into orders (id) values (1)')).rejects.toThrow(/does not accept/)
      await expect(pool.query('select 1; insert into orders (id) values (1)')).rejects.toThrow(
        /does not accept/,
      )
      const client = await pool.connect()
      await client.query('begin')
      await expect(client.query('insert into orders (id) values (1)')).rejects.toThrow(/does not accept/)
      await client.query('commit')
      client.release()
    })
    expect((await pool.query('select id from orders')).rows).toEqual([])
  })

  it('is told apart from a login without rights', async () => {
    const stranger = `${shop.login}_stranger`
    await shop.asSuperuser((session) => session.query(`create role ${stranger} login password 'x'`))
    const url = new URL(shop.appUrl)
    url.username = stranger
    url.password = 'x'
    const pool = withContext(new pg.Pool({ connectionString: url.href }), { key: shop.key })
    pools.push(pool)
    await expect(withActor({ userId: 1 }, () => pool.query('select 1'))).rejects.toThrow(
      /grant akashi_client/,
    )
    await shop.asSuperuser((session) => session.query(`drop role ${stranger}`))
  })

  it('is not even tried with what is no key', () => {
    expect(() => withContext(new pg.Pool(), { key: 'secret' })).toThrow(ContextError)
    expect(() => withContext(new pg.Pool(), { key: 'secret' })).not.toThrow(/secret/)
  })
})

describe.runIf(hasPgBouncer())('behind PgBouncer in transaction mode', () => {
  it('signs each transaction, whichever server connection it gets', async () => {
    const pooler = await startPgBouncer([shop.appUrl], 2)
    try {
      const pool = open({ connectionString: pooler.url(shop.appUrl), max: 4 })
      const seen = await Promise.all(
        Array.from({ length: 60 }, async (_, number) => {
          if (number % 3 === 0) return [(await pool.query(verified)).rows[0].ok, number]
          return await withActor({ userId: number }, async () => {
            if (number % 3 === 1) return [(await pool.query(verified)).rows[0].user, number]
            const client = await pool.connect()
            await client.query('begin')
            const { rows } = await client.query(verified)
            await client.query('commit')
            client.release()
            return [rows[0].user, number]
          })
        }),
      )
      expect(seen).toEqual(Array.from({ length: 60 }, (_, n) => [n % 3 === 0 ? false : String(n), n]))
      await pool.end()
      pools.pop()
    } finally {
      await pooler.stop()
    }
  })
})
