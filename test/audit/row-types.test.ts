import { beforeAll, describe, expect, it } from 'vitest'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()
const MANY = 200

/** A type of somebody who has no rights in Akashi, with a cast to json that takes what it can get. */
const types = `
  create role shopkeeper_${database.name} nologin;
  create schema shop authorization shopkeeper_${database.name};
  set role shopkeeper_${database.name};
  create table shop.seen (who text, path text); grant insert on shop.seen to public; grant usage on schema shop to public;
  create type shop.mood as enum ('glad', 'sad');
  create domain shop.short as text check (length(value) < 100);
  create type shop.pair as (mood shop.mood, n int);
  create table shop.items (id int primary key, mood shop.mood, moods shop.mood[], pair shop.pair, short shop.short, n int);
  reset role;
  select akashi_audit.protect('shop.items')`

const cast = `
  set role shopkeeper_${database.name};
  create function shop.mine(text, text) returns boolean language plpgsql as
    $$ begin insert into shop.seen values ('= as ' || current_user); return $1 operator(pg_catalog.=) $2; end $$;
  create operator shop.= (leftarg = text, rightarg = text, function = shop.mine);
  create function shop.mine(bigint, int) returns boolean language plpgsql as
    $$ begin insert into shop.seen values ('= as ' || current_user); return true; end $$;
  create operator shop.= (leftarg = bigint, rightarg = int, function = shop.mine);
  create function shop.split_part(text, text, int) returns text language plpgsql as
    $$ begin insert into shop.seen values ('split_part as ' || current_user); return pg_catalog.split_part($1, $2, $3); end $$;
  create function shop.mood_json(shop.mood) returns json language plpgsql as $$ begin
    insert into shop.seen values (current_user);
    perform pg_catalog.set_config('search_path', 'shop, pg_catalog', false);
    return '"forged"'; end $$;
  create cast (shop.mood as json) with function shop.mood_json(shop.mood);
  reset role`

function ask<R>(text: string): Promise<R[]> {
  return database.asSuperuser(async (session) => (await session.query<R>(text)).rows)
}

beforeAll(() => ask(types))

describe('a table whose columns have types of somebody else', () => {
  it('is recorded as it is, few rows and many', async () => {
    await ask(
      `insert into shop.items select g, 'glad', '{glad,sad}', row('sad'::shop.mood, g)::shop.pair, 'x', g from generate_series(1, ${MANY}) g`,
    )
    await ask(`update shop.items set mood = 'sad', moods[1] = 'sad', n = n + 1`)
    await ask('delete from shop.items where id = 1')
    const rows = await ask(
      `select operation, old_values, new_values, changed_fields from akashi_audit.audit_logs
       where table_name = 'items' and record_id in ('1', '${MANY}') order by record_id, seq`,
    )
    const first = {
      id: 1,
      mood: 'glad',
      moods: ['glad', 'sad'],
      pair: { mood: 'sad', n: 1 },
      short: 'x',
      n: 1,
    }
    const changed = (row: typeof first) => ({ ...row, mood: 'sad', moods: ['sad', 'sad'], n: row.n + 1 })
    const last = { ...first, id: MANY, pair: { mood: 'sad', n: MANY }, n: MANY }
    const update = (row: typeof first) => ({
      operation: 'UPDATE',
      old_values: { mood: row.mood, moods: row.moods, n: row.n },
      new_values: changed(row),
      changed_fields: ['mood', 'moods', 'n'],
    })
    const insert = (row: typeof first) => ({
      operation: 'INSERT',
      old_values: null,
      new_values: row,
      changed_fields: null,
    })
    expect(rows).toEqual([
      insert(first),
      update(first),
      { operation: 'DELETE', old_values: changed(first), new_values: null, changed_fields: null },
      insert(last),
      update(last),
    ])
  })

  it('is not written to once a cast decides what would be recorded', async () => {
    const few = `insert into shop.items values (1000, 'glad', '{glad}', row('sad', 1), 'x', 1)`
    const many = `insert into shop.items select g, 'glad', '{glad}', row('sad'::shop.mood, g)::shop.pair, 'x', g from generate_series(1001, 1200) g`
    const statements = [few, many, 'update shop.items set n = 0', 'delete from shop.items where id >= 1000']
    // The catalog of this transaction is older than the cast, and that of to_jsonb is not.
    await database.asSuperuser(async (session) => {
      await session.query('begin isolation level repeatable read; select count(*) from shop.items')
      await ask(cast)
      for (const statement of statements) {
        await session.query('savepoint s')
        await session.query(statement)
        await session.query('release savepoint s')
      }
      await session.query('commit')
    })
    const seen = 'select distinct who from shop.seen'
    expect(await ask(seen)).toEqual([{ who: 'akashi_nobody' }])
    await ask('truncate shop.seen')
    for (const statement of statements) {
      await expect(ask(statement)).rejects.toMatchObject({ message: expect.stringContaining('cast to json') })
    }
    expect(await ask(seen)).toEqual([])
  })

  it('is named, and refused when it is to be protected again', async () => {
    expect(
      await ask(
        `select "table", problem from akashi_audit.trigger_problems('audit_logs') where "table" = 'shop.items'`,
      ),
    ).toEqual([{ table: 'shop.items', problem: expect.stringContaining('shop.mood') }])
    await expect(ask(`select akashi_audit.protect('shop.items')`)).rejects.toMatchObject({
      message: expect.stringContaining('mood'),
    })
  })
})
