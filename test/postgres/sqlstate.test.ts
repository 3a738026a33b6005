import { describe, expect, test } from 'vitest'
import { AkashiError } from '../../src/foundation/index.ts'
import type { Session } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const SECRET = 'tuna-melt-4711'

async function errorOf(statement: string, values: unknown[] = []): Promise<AkashiError> {
  const owner = database.open('owner', { poolSize: 1 })
  const work = async (session: Session) => {
    await session.query(
      'create temp table t (id int primary key, other int references t, name text not null check (name <> $$-$$))',
    )
    await session.query(`insert into t values (1, 1, 'one')`)
    await session.query(statement, values)
  }
  const error: unknown = await owner.transaction(tester, work).catch((reason: unknown) => reason)
  if (!(error instanceof AkashiError)) {
    throw new Error('the statement did not fail')
  }
  return error
}

const raise = (state: string) =>
  `do $$ begin raise exception 'said so' using errcode = '${state}', hint = 'do this'; end $$`

describe('a failed statement becomes an error of the catalogue', () => {
  test.each([
    ['insert into t values (1, 1, $1)', 'already_exists', '23505'],
    ['insert into t values (2, 3, $1)', 'invalid_input', '23503'],
    ['insert into t values (2, 1, nullif($1, $1))', 'invalid_input', '23502'],
    [`insert into t select 2, 1, '-' where $1 <> ''`, 'invalid_input', '23514'],
    ['select $1::text::int', 'invalid_input', '22P02'],
    ['select $1::text::uuid', 'invalid_input', '22P02'],
    ['select $1::text::timestamptz', 'invalid_input', '22007'],
    ['select * from nothing where name = $1', 'internal', '42P01'],
    ['select pg_read_file($1)', 'forbidden', '42501'],
  ])('%s', async (statement, code, sqlstate) => {
    const error = await errorOf(statement, [SECRET])
    expect(error).toMatchObject({ code, detail: { sqlstate } })
    expect(error.cause).toMatchObject({ code: sqlstate })
  })

  test.each([
    ['AK001', 'append_only'],
    ['AK002', 'integrity'],
    ['AK003', 'conflict'],
    ['undefined_object', 'not_found'],
    ['no_data_found', 'not_found'],
    ['invalid_parameter_value', 'invalid_input'],
    ['program_limit_exceeded', 'too_large'],
    ['insufficient_privilege', 'forbidden'],
    ['57P01', 'unavailable'],
    ['53300', 'unavailable'],
    ['XX001', 'integrity'],
  ])('%s raised by a function keeps its words and its hint', async (state, code) => {
    expect(await errorOf(raise(state))).toMatchObject({ code, message: 'said so', hint: 'do this' })
  })
})

test.each([
  'insert into t values (1, 1, $1)',
  'insert into t values (2, 1, nullif($1, $1))',
  'select $1::text::int',
  'select $1::text::uuid',
  'select $1::text::jsonb',
  'select $1::text::timestamptz',
  'select $1::text::inet',
])('no value of the statement shows in the error of %s', async (statement) => {
  const error = await errorOf(statement, [SECRET])
  const cause = error.cause instanceof Error ? error.cause : new Error('there is no cause')
  const shown = [
    error.message,
    error.hint,
    error.stack,
    cause.message,
    cause.stack,
    JSON.stringify(cause),
    JSON.stringify(error),
  ]
  expect(shown.join('\n')).not.toContain(SECRET)
})

test('an unreachable server is unavailable', async () => {
  const url = new URL(database.url('app'))
  url.port = '1'
  const app = database.open('app', { url: url.href })
  await expect(app.transaction(tester, (session) => session.query('select 1'))).rejects.toMatchObject({
    code: 'unavailable',
    detail: { errno: 'ECONNREFUSED' },
  })
})

test('a wrong password is invalid_config', async () => {
  const url = new URL(database.url('app'))
  url.password = 'wrong'
  const app = database.open('app', { url: url.href })
  await expect(app.transaction(tester, (session) => session.query('select 1'))).rejects.toMatchObject({
    code: 'invalid_config',
  })
})
