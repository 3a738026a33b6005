import { beforeAll, describe, expect, it } from 'vitest'
import { type RecordAsOfQuery, type RecordQuery, recordAsOf, recordHistory } from '../../src/audit/index.ts'
import { person } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const app = database.open('app')
const worker = database.open('worker')
const me = '0199d3a0-0000-7000-8000-00000000000a'

/** Moments between the steps, by name. */
const moments = new Map<string, string>()

async function step(name: string, ...statements: string[]): Promise<void> {
  await database.asSuperuser(async (session) => {
    for (const statement of statements) await session.query(statement)
    const { rows } = await session.query<{ now: string }>(
      `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as now`,
    )
    moments.set(name, rows[0]?.now ?? '')
  })
}

async function told(query: RecordQuery): Promise<string[]> {
  const { rows } = await recordHistory(worker, tester, query)
  return rows.map(
    (row) => `${row.operation} ${row.recordId} ${row.changes.map((change) => change.field).join()}`,
  )
}

async function at(moment: string, query: Omit<RecordAsOfQuery, 'at'>) {
  return await recordAsOf(worker, tester, { ...query, at: moments.get(moment) ?? '' })
}

beforeAll(async () => {
  await step(
    'start',
    'create table item (id text primary key, name text, price numeric, secret text)',
    "insert into item values ('old', 'before', 1, 's')",
  )
  await step('protected', `select akashi_audit.protect('item', columns => '{"secret": "omit"}')`)
  await step('made', "insert into item values ('a', 'cup', 1, 's')")
  await step('changed', "update item set price = 2, name = null where id = 'a'")
  await step('renamed', "update item set id = 'b', price = 3 where id = 'a'")
  await step('reused', "insert into item values ('a', 'another', 9, 's')")
  await step(
    'renamed again',
    "update item set id = 'c' where id = 'b'",
    "update item set secret = 't' where id = 'c'",
  )
  await step('deleted', "delete from item where id = 'c'")
  await step('remade', "insert into item values ('c', 'third', 4, 's')")
  await step('truncated', 'truncate item')
  await step('late', "insert into item values ('z', 'last', 5, 's')")
  await step(
    'other',
    "create schema elsewhere; create table elsewhere.item (id text primary key); select akashi_audit.protect('elsewhere.item')",
    "insert into elsewhere.item values ('c')",
  )
})

describe('the history of a record', () => {
  it('follows the record over changes of its key, with what each version changed', async () => {
    expect(await told({ table: 'item', recordId: 'c' })).toEqual([
      'INSERT a id,name,price',
      'UPDATE a name,price',
      'UPDATE b id,price',
      'UPDATE c id',
      'UPDATE c secret',
      'DELETE c id,name,price',
      'INSERT c id,name,price',
      'TRUNCATE null ',
    ])
    const { rows } = await recordHistory(worker, tester, { table: 'item', recordId: 'c' })
    expect(rows.map((row) => row.changes).slice(0, 3)).toEqual([
      [
        { field: 'id', new: 'a' },
        { field: 'name', new: 'cup' },
        { field: 'price', new: 1 },
      ],
      [
        { field: 'name', old: 'cup', new: null },
        { field: 'price', old: 1, new: 2 },
      ],
      [
        { field: 'id', old: 'a', new: 'b' },
        { field: 'price', old: 2, new: 3 },
      ],
    ])
    expect(rows[4]?.changes).toEqual([{ field: 'secret' }])
    expect(rows[5]?.changes).toContainEqual({ field: 'price', old: 3 })
  })

  it('separates records that had the same key at different times, and tables of the same name', async () => {
    expect(await told({ table: 'item', recordId: 'b' })).toEqual([
      'INSERT a id,name,price',
      'UPDATE a name,price',
      'UPDATE b id,price',
      'TRUNCATE null ',
    ])
    expect(await told({ table: 'item', recordId: 'z' })).toEqual(['INSERT z id,name,price'])
    expect(await told({ schema: 'elsewhere', table: 'item', recordId: 'c' })).toEqual(['INSERT c id'])
    expect(await told({ table: 'item', recordId: 'none' })).toEqual([])
  })

  it('is paginated', async () => {
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof recordHistory>> = await recordHistory(worker, tester, {
        table: 'item',
        recordId: 'c',
        limit: 3,
        ...(cursor === null ? {} : { cursor }),
      })
      seen.push(...page.rows.map((row) => row.id))
      cursor = page.next
    } while (cursor !== null)
    const { rows } = await recordHistory(worker, tester, { table: 'item', recordId: 'c' })
    expect(seen).toEqual(rows.map((row) => row.id))
    await expect(
      recordHistory(worker, tester, { table: 'item', recordId: 'c', cursor: 'x' }),
    ).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(recordHistory(worker, tester, { table: '', recordId: 'c', limit: 0 })).rejects.toMatchObject(
      {
        detail: { mistakes: ['table is empty', 'limit is below 1'] },
      },
    )
  })

  it.each<[string, (id: number) => number]>([
    ['id + 1', (id) => id + 1],
    ['id - 1', (id) => id - 1],
    ['6 - id', (id) => 6 - id],
  ])('keeps records apart whose keys one statement moves on to each other: %s', async (expression, move) => {
    await step(
      'shift made',
      'drop table if exists shift',
      'create table shift (id int primary key deferrable, name text)',
      "insert into shift select i, 'n' || i from generate_series(1, 5) i",
    )
    await step(
      'shift protected',
      "select akashi_audit.protect('shift')",
      "update shift set name = name || '!'",
    )
    await step('shift moved', `update shift set id = ${expression}`)
    for (const id of [1, 2, 3, 4, 5]) {
      const { rows } = await recordHistory(worker, tester, { table: 'shift', recordId: String(move(id)) })
      const since = rows.filter((row) => row.createdAt > (moments.get('shift made') ?? ''))
      const moved = move(id) === id ? [] : [[`n${id}!`, String(move(id))]]
      expect(since.map((row) => [row.newValues?.['name'], row.recordId])).toEqual([
        [`n${id}!`, String(id)],
        ...moved,
      ])
      expect(await at('shift protected', { table: 'shift', recordId: String(move(id)) })).toMatchObject({
        state: 'present',
        values: { id, name: `n${id}!` },
      })
      expect(await at('shift moved', { table: 'shift', recordId: String(move(id)) })).toMatchObject({
        state: 'present',
        values: { id: move(id), name: `n${id}!` },
      })
    }
  })

  it('follows several changes of the key in one transaction', async () => {
    await database.asSuperuser((session) =>
      session.query(`create table hop (id int primary key, name text); select akashi_audit.protect('hop');
      begin; insert into hop values (1, 'a'); update hop set id = 2; update hop set id = 3; update hop set name = 'b'; update hop set id = 4, name = 'c'; commit`),
    )
    expect(await told({ table: 'hop', recordId: '4' })).toEqual([
      'INSERT 1 id,name',
      'UPDATE 2 id',
      'UPDATE 3 id',
      'UPDATE 3 name',
      'UPDATE 4 id,name',
    ])
  })

  it('includes direct changes of a partition, and rows that moved to another', async () => {
    await step(
      'parts',
      'create table parts (id int, day date, note text, primary key (id, day)) partition by range (day)',
      "create table parts_1 partition of parts for values from ('2026-01-01') to ('2026-02-01')",
      "create table parts_2 partition of parts for values from ('2026-02-01') to ('2026-03-01')",
      "select akashi_audit.protect('parts')",
      "insert into parts values (1, '2026-01-05')",
      "update parts set day = '2026-02-05'",
      "update parts_2 set note = 'direct'",
    )
    const key = { table: 'parts', recordId: '[1, "2026-02-05"]' }
    expect(await told(key)).toEqual([
      'INSERT [1, "2026-01-05"] day,id,note',
      'UPDATE [1, "2026-02-05"] day',
      'UPDATE [1, "2026-02-05"] note',
    ])
    expect(await told({ ...key, table: 'parts_2' })).toHaveLength(3)
    await step('other partition gone', 'truncate parts_1')
    expect(await at('parts', key)).toMatchObject({ state: 'present', values: { note: 'direct' } })
    await step('its partition gone', 'truncate parts_2')
    expect(await at('its partition gone', key)).toMatchObject({ state: 'absent', reason: 'truncated' })
    await step('again', "insert into parts values (2, '2026-02-06')", 'truncate parts_1')
    expect(await at('again', { ...key, recordId: '[2, "2026-02-06"]' })).toMatchObject({
      state: 'unknown',
      reason: 'partition_truncated',
    })
  })

  it('shows an application user only their own changes', async () => {
    await database.asSuperuser((session) =>
      session.query('grant select, insert, update on item to akashi_app'),
    )
    await app.transaction(person({ userId: me }), (session) =>
      session.query("update public.item set price = 6 where id = 'z'"),
    )
    const mine = await recordHistory(app, person({ userId: me }), { table: 'item', recordId: 'z' })
    expect(mine.rows.map((row) => row.operation)).toEqual(['UPDATE'])
    expect((await recordHistory(app, tester, { table: 'item', recordId: 'z' })).rows).toEqual([])
  })
})

describe('a record as it was', () => {
  const item = { table: 'item', recordId: 'c' }

  it.each([
    ['protected', { state: 'absent', values: null, reason: 'not_created' }],
    ['made', { state: 'present', recordId: 'a', values: { id: 'a', name: 'cup', price: 1 } }],
    ['changed', { state: 'present', recordId: 'a', values: { id: 'a', name: null, price: 2 } }],
    ['renamed', { state: 'present', recordId: 'b', values: { id: 'b', name: null, price: 3 } }],
    ['reused', { state: 'present', recordId: 'b', values: { id: 'b', name: null, price: 3 } }],
    ['renamed again', { state: 'present', recordId: 'c', values: { id: 'c', name: null, price: 3 } }],
    ['deleted', { state: 'absent', values: null, reason: 'deleted' }],
    ['remade', { state: 'present', values: { id: 'c', name: 'third', price: 4 } }],
    ['truncated', { state: 'absent', values: null, reason: 'truncated' }],
  ])('%s', async (moment, expected) => {
    const answer = await at(moment, item)
    expect(answer).toMatchObject(expected)
    if (answer.values !== null) expect(answer.values).toEqual(expected.values)
  })

  it('changed its key', async () => {
    expect(await at('renamed', { table: 'item', recordId: 'b' })).toMatchObject({ state: 'present' })
    expect(await at('deleted', { table: 'item', recordId: 'b' })).toMatchObject({
      state: 'absent',
      reason: 'renamed',
      recordId: 'c',
    })
  })

  it('is unknown before the trail began', async () => {
    await step(
      'updated',
      "insert into item values ('y', 'y', 1, 's')",
      "select akashi_audit.unprotect('item')",
      "insert into item values ('x', 'x', 1, 's')",
      `select akashi_audit.protect('item', columns => '{"secret": "omit"}')`,
      "update item set price = 7 where id = 'x'",
    )
    expect(await at('made', { table: 'item', recordId: 'x' })).toMatchObject({
      state: 'unknown',
      values: null,
      reason: 'before_trail',
    })
    await expect(at('late', { table: 'item', recordId: 'old' })).rejects.toMatchObject({ code: 'not_found' })
  })

  it('is returned only to those who may read the whole trail', async () => {
    await expect(
      recordAsOf(app, person({ userId: me }), { table: 'item', recordId: 'z', at: '2027-01-01T00:00:00Z' }),
    ).rejects.toMatchObject({ code: 'forbidden' })
  })
})
