import { describe, expect, it } from 'vitest'
import { testCrosscheck } from '../support/crosscheck.ts'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()
const check = testCrosscheck(database)

const run = (...statements: string[]) =>
  database.asSuperuser(async (session) => {
    for (const statement of statements) await session.query(statement)
  })

/** What the trail says of a table, in its order: operation and key, with the last part of the values. */
async function trailOf(table: string): Promise<string[]> {
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ line: string }>(
      `select concat_ws(' ', operation, record_id, new_values ->> 'v') as line
       from akashi_audit.audit_logs where table_name = $1 and event_type = 'data_change' order by seq`,
      [table],
    ),
  )
  return rows.map(({ line }) => line)
}

async function table(name: string, rows: number): Promise<void> {
  await run(
    `create table ${name} (id int, k text, v text, doc json, primary key (id, k)) partition by list (k)`,
    `create table ${name}_a partition of ${name} for values in ('a')`,
    `create table ${name}_b partition of ${name} for values in ('b')`,
    `insert into ${name} select g, 'a', 'v' from generate_series(1, ${rows}) g`,
    `select akashi_audit.protect('${name}')`,
  )
}

const left = () =>
  database.asSuperuser(
    async (session) => (await session.query('select from akashi_audit.moving_rows')).rowCount,
  )

describe('a row that moves to another partition', () => {
  it.each([
    [
      'by a MERGE that only updates',
      "merge into T using (values (1), (2)) s (id) on T.id = s.id when matched then update set k = 'b', v = 'moved'",
      ['DELETE [1, "a"]', 'DELETE [2, "a"]', 'INSERT [1, "b"] moved', 'INSERT [2, "b"] moved'],
    ],
    [
      'by a MERGE that also inserts',
      "merge into T using (values (1), (9)) s (id) on T.id = s.id when matched then update set k = 'b', v = 'moved' when not matched then insert values (s.id, 'a', 'new')",
      ['DELETE [1, "a"]', 'INSERT [1, "b"] moved', 'INSERT [9, "a"] new'],
    ],
    [
      'by a MERGE that also deletes and inserts',
      "merge into T using (values (1), (2), (9)) s (id) on T.id = s.id when matched and s.id = 2 then delete when matched then update set k = 'b', v = 'moved' when not matched then insert values (s.id, 'a', 'new')",
      ['DELETE [1, "a"]', 'DELETE [2, "a"]', 'INSERT [1, "b"] moved', 'INSERT [9, "a"] new'],
    ],
    [
      'by a MERGE that updates others where they are',
      "merge into T using (values (1), (2)) s (id) on T.id = s.id when matched and s.id = 1 then update set k = 'b' when matched then update set v = 'stays'",
      ['DELETE [1, "a"]', 'INSERT [1, "b"] v', 'UPDATE [2, "a"] stays'],
    ],
    ['by an UPDATE', "update T set k = 'b' where id = 1", ['UPDATE [1, "b"] v']],
    [
      'twice in a transaction',
      "begin; merge into T using (values (1)) s (id) on T.id = s.id when matched then update set k = 'b'; insert into T values (1, 'a', 'again'); update T set v = 'x' where id = 1; commit",
      [
        'DELETE [1, "a"]',
        'INSERT [1, "b"] v',
        'INSERT [1, "a"] again',
        'UPDATE [1, "a"] x',
        'UPDATE [1, "b"] x',
      ],
    ],
  ])('%s', async (name, statement, expected) => {
    const own = `t${name.replaceAll(/\W/g, '_')}`.toLowerCase()
    await table(own, 3)
    await run(statement.replaceAll(/\bT\b/g, own))
    expect((await trailOf(own)).toSorted()).toEqual(expected.toSorted())
    expect(await left()).toBe(0)
    expect(await check.found()).toEqual([])
  })

  it.each([4, 60])('among %i of which one is refused by its new partition', async (rows) => {
    const own = `refused_${rows}`
    await table(own, rows)
    await run(
      `create function ${own}_not_two() returns trigger language plpgsql as $$ begin if new.id = 2 then return null; end if; return new; end $$`,
      `create trigger not_two before insert on ${own}_b for each row execute function ${own}_not_two()`,
      `update ${own} set k = 'b'`,
    )
    const trail = await trailOf(own)
    expect(trail.filter((line) => line.startsWith('UPDATE'))).toEqual([])
    expect(trail).toContain('DELETE [2, "a"]')
    expect(trail).not.toContain('INSERT [2, "b"] v')
    expect(trail).toHaveLength(2 * rows - 1)
    expect(await left()).toBe(0)
    expect(await check.found()).toEqual([])
  })
})
