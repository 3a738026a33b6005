import { beforeAll, describe, expect, it } from 'vitest'
import { makeUser } from '../identity/people.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const worker = database.open('worker')
const stranger = `stranger_${database.name}`

async function run<R = Record<string, unknown>>(text: string): Promise<R[]> {
  return await database.asSuperuser(async (session) => (await session.query<R>(text)).rows)
}

beforeAll(() =>
  run(`create role ${stranger}; create schema shop authorization ${stranger}; set role ${stranger};
    grant usage on schema shop to public; create table shop.seen (who text); grant insert on shop.seen to public;
    create function shop.spy(uuid) returns uuid language plpgsql immutable as
      $$ begin insert into shop.seen values (current_user); return $1; end $$;
    create function shop.on_row() returns trigger language plpgsql as
      $$ begin insert into shop.seen values (current_user); return new; end $$;
    create domain shop.phone as text;
    create type shop.mood as enum ('glad');
    reset role;
    create schema app; grant usage on schema app to public`),
)

describe('a table that would run code of somebody without rights', () => {
  const cases: readonly [string, string][] = [
    ['a view', 'create view app.t as select 1 as id, null::uuid as person, null::text as phone'],
    [
      'a table of theirs',
      `create table app.t (id int, person uuid, phone text); alter table app.t owner to ${stranger}`,
    ],
    [
      'a trigger',
      'create table app.t (id int, person uuid, phone text); create trigger t before update on app.t for each row execute function shop.on_row()',
    ],
    ['a domain', 'create table app.t (id int, person uuid, phone shop.phone)'],
    ['an array of their type', 'create table app.t (id int, person uuid, phone text, moods shop.mood[])'],
    [
      'an index',
      'create table app.t (id int, person uuid, phone text); create index on app.t (shop.spy(person))',
    ],
    ['a check', 'create table app.t (id int, person uuid, phone text, check (shop.spy(person) is null))'],
    ['a default', 'create table app.t (id int, person uuid default shop.spy(null), phone text)'],
    [
      'a rule',
      'create table app.t (id int, person uuid, phone text); create rule r as on update to app.t do also select 1',
    ],
    [
      'a partition of theirs',
      `create table app.t (id int, person uuid, phone text) partition by list (id);
       create table app.t_1 partition of app.t for values in (1); alter table app.t_1 owner to ${stranger}`,
    ],
  ]

  it.each(cases)('is refused by an erasure, and by the archive: %s', async (_, make) => {
    await run(`drop table if exists app.t; ${make}`).catch(() => run(`drop view app.t; ${make}`))
    const { userId } = await makeUser(database, 'user')
    await run(`delete from akashi_keys.personal_columns where schema_name = 'app';
      grant select, update on app.t to akashi_owner, akashi_worker;
      insert into akashi_keys.personal_columns (schema_name, table_name, column_name, person_column, form, at_erasure)
      values ('app', 't', 'phone', 'person', 'plain', 'cleared')`)
    await expect(
      worker.transaction(tester, (session) =>
        session.query(`select akashi_keys.begin_erasure($1, 'key', 'a test')`, [userId]),
      ),
    ).rejects.toMatchObject({ message: expect.stringContaining('untrusted code') })
    await expect(
      worker.transaction(tester, (session) => session.query(`select akashi_lifecycle.own_table('app', 't')`)),
    ).rejects.toMatchObject({ message: expect.stringContaining('untrusted code') })
    expect(await run('select * from shop.seen')).toEqual([])
  })

  it('has no foreign code when akashi_owner owns all of it', async () => {
    await run(`drop table if exists app.t; create type app.kind as enum ('a'); alter type app.kind owner to akashi_owner;
      create table app.t (id int primary key, person uuid, phone text, kind app.kind); alter table app.t owner to akashi_owner`)
    const { userId } = await makeUser(database, 'user')
    await run(`insert into app.t values (1, '${userId}', '123', 'a')`)
    await worker.transaction(tester, (session) =>
      session.query(`select akashi_keys.begin_erasure($1, 'key', 'a test')`, [userId]),
    )
    expect(await run('select phone from app.t')).toEqual([{ phone: null }])
  })
})
