import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCapabilities, type Session } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()

/** What a role or the owner of the database may give every connection to start with. */
const hostile = [
  ['search_path', 'evil, pg_catalog'],
  ['row_security', 'off'],
  ['transform_null_equals', 'on'],
  ['standard_conforming_strings', 'off'],
  ['default_transaction_read_only', 'on'],
  ['default_transaction_isolation', 'serializable'],
  ['check_function_bodies', 'off'],
  ['datestyle', 'SQL, DMY'],
  ['bytea_output', 'escape'],
  ['array_nulls', 'off'],
] as const

beforeAll(async () => {
  await database.asSuperuser(async (session) => {
    await session.query(`
      create schema evil; grant usage on schema evil to public;
      create table evil.ran (what text); grant insert on evil.ran to public;
      create function evil.note(text) returns void language sql as 'insert into evil.ran values ($1)';
      create function evil.now() returns timestamptz language sql as $$ select evil.note('now'); select pg_catalog.now() $$;
      create function evil.set_config(text, text, boolean) returns text language sql as
        $$ select evil.note('set_config'); select pg_catalog.set_config($1, $2, false) $$;
      create function evil.same(text, text) returns boolean language sql as $$ select evil.note('='); select true $$;
      create function evil.same(name, name) returns boolean language sql as $$ select evil.note('='); select true $$;
      create operator evil.= (leftarg = text, rightarg = text, function = evil.same);
      create operator evil.= (leftarg = name, rightarg = name, function = evil.same);
      create function evil.differs(bytea, bytea) returns boolean language sql immutable as 'select false';
      create operator evil.<> (leftarg = bytea, rightarg = bytea, function = evil.differs)`)
    for (const [name, value] of hostile) {
      for (const role of ['akashi_worker', 'akashi_app', 'current_user']) {
        // Of this database alone: other test files share the roles.
        const whose = role === 'current_user' ? '' : `role ${role} in `
        await session.query(
          `alter ${whose}database ${database.name} set ${name} = ${value.includes(',') && name !== 'search_path' ? `'${value}'` : value}`,
        )
      }
    }
    await session.query(
      `alter role akashi_worker in database ${database.name} set session_replication_role = origin`,
    )
  })
})

afterAll(() =>
  database.asSuperuser(async (session) => {
    for (const role of ['akashi_worker', 'akashi_app']) {
      await session.query(`alter role ${role} in database ${database.name} reset all`)
    }
  }),
)

async function seen(session: Session): Promise<unknown> {
  const { rows } = await session.query(
    `select current_setting('search_path') as path, current_setting('row_security') as rows, '\\x01'::bytea <> '\\x02' as differ,
            null = null as "nullEquals", '\\x0a'::bytea::text as bytes, '{NULL}'::text[] = array[null::text] as nulls,
            length('a\\b') as length, date '2026-11-28'::text as day`,
  )
  return rows[0]
}

const right = {
  path: 'pg_catalog, pg_temp',
  rows: 'on',
  differ: true,
  nullEquals: null,
  bytes: '\\x0a',
  nulls: true,
  length: 3,
  day: '2026-11-28',
}

describe.each(['worker', 'app', 'owner'] as const)('what %s says', (role) => {
  it('has the same meaning in a transaction with any settings of the role and the database', async () => {
    const pool = database.open(role, { poolSize: 1 })
    expect(await pool.transaction(tester, seen)).toEqual(right)
    const state = await pool.transaction(tester, (session) =>
      session.query(
        `select current_setting('transaction_isolation') as level, current_setting('transaction_read_only') as "readOnly"`,
      ),
    )
    expect(state.rows).toEqual([{ level: 'read committed', readOnly: 'off' }])
  })

  it('has the same meaning on a direct connection', async () => {
    const pool = database.open(role, { poolSize: 1 })
    expect(await pool.direct(seen)).toEqual(right)
    const state = await pool.direct((session) =>
      session.query(
        `select current_setting('transaction_isolation') as level, current_setting('transaction_read_only') as "readOnly"`,
      ),
    )
    expect(state.rows).toEqual([{ level: 'read committed', readOnly: 'off' }])
  })
})

describe('somebody’s own functions and operators', () => {
  it('are not called by the connection’s own statements', async () => {
    await readCapabilities(database.url('worker'))
    const pool = database.open('worker', { poolSize: 1 })
    await pool.transaction(tester, (session) => session.query('select 1'))
    const { rows } = await database.asSuperuser((session) => session.query('select what from evil.ran'))
    expect(rows).toEqual([])
  })
})

describe('a login whose triggers would not fire', () => {
  it('is refused', async () => {
    await database.asSuperuser((session) =>
      session.query(
        `alter role akashi_worker in database ${database.name} set session_replication_role = replica`,
      ),
    )
    const pool = database.open('worker', { poolSize: 1 })
    await expect(pool.transaction(tester, (session) => session.query('select 1'))).rejects.toMatchObject({
      code: 'forbidden',
    })
  })
})
