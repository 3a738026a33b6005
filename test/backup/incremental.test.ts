/**
 * PostgreSQL's incremental backups can bring deleted rows back: blocks behind a truncation that were never
 * written again. Each case is restored through a chain and through the full backup and WAL alone, and both
 * must be what the server held.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runBackup } from '../../src/backup/index.ts'
import {
  type RestoredCluster,
  type RunningStream,
  restoreTo,
  startCluster,
  type TestCluster,
} from './support/cluster.ts'

/** Rows, and a digest that does not depend on where they lie. */
const contents = `
  select relname as table, (xpath('/row/n/text()', x))[1]::text || ' ' || (xpath('/row/d/text()', x))[1]::text as content
  from pg_class, lateral query_to_xml(format(
    'select count(*) as n, coalesce(sum(hashtextextended(t::text, 0)), 0) as d from %I t', relname), false, true, '') x
  where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1`

const heaps = `select relname as table, count(*) filter (where v.blkno is not null)::integer as problems
  from pg_class left join lateral verify_heapam(oid) v on true
  where relkind = 'r' and relnamespace = 'public'::regnamespace group by 1`

/** Lines for COPY, long enough that the table is extended by many pages at once. */
const LONG_ROWS = `seq 1 3000 | awk '' { printf "%d\\t%0400d\\n", $1, 0 } ''`

let cluster: TestCluster
let stream: RunningStream

const fill = (table: string, note: string) =>
  cluster.sql(`insert into ${table} select i, repeat('${note}', 400) from generate_series(1, 6000) i`)

beforeAll(async () => {
  cluster = await startCluster()
  stream = cluster.stream()
  await cluster.sql('create extension amcheck')
  for (const table of ['vacuumed', 'truncated', 'shrunk_twice', 'untouched', 'dropped']) {
    await cluster.sql(`create table ${table} (id integer, note text)`)
    await cluster.sql(`create index on ${table} (id)`)
    await fill(table, 'a')
  }
  await runBackup(cluster.backupStore, cluster.source, 'full')
})

afterAll(async () => {
  await stream.stop()
  await cluster.stop()
})

async function expectSame(restored: RestoredCluster, expected: unknown): Promise<void> {
  try {
    expect(await restored.sql(contents)).toEqual(expected)
    for (const { problems } of await restored.sql<{ problems: number }>(heaps)) expect(problems).toBe(0)
    await restored.sql(
      `select bt_index_check(indexrelid, true) from pg_index join pg_class c on c.oid = indexrelid
       where c.relnamespace = 'public'::regnamespace`,
    )
  } finally {
    await restored.stop()
  }
}

describe('a chain of incrementals', () => {
  it('is exact after deletion, truncation by vacuum and growth by COPY', async () => {
    await cluster.sql('delete from vacuumed where id > 1000')
    await cluster.sql('vacuum (truncate) vacuumed')
    await cluster.sql(`copy vacuumed from program '${LONG_ROWS}'`)
    // The precondition of the case: COPY extended the table ahead, and did not come to these pages.
    const [pages] = await cluster.sql<{ empty: number }>(
      `select pg_relation_size('vacuumed') / 8192 - (select count(distinct (ctid::text::point)[0]) from vacuumed) as empty`,
    )
    expect(Number(pages?.empty)).toBeGreaterThan(0)
    // TRUNCATE in the transaction that fills anew, and one that empties a relation in place.
    await cluster.sql('truncate truncated')
    await fill('truncated', 'b')
    await cluster.sql('delete from shrunk_twice where id > 100')
    await cluster.sql('vacuum (truncate) shrunk_twice')
    await runBackup(cluster.backupStore, cluster.source, 'incremental')

    await fill('shrunk_twice', 'c')
    await cluster.sql('delete from shrunk_twice where id > 3000')
    await cluster.sql('vacuum (truncate) shrunk_twice')
    await cluster.sql(`copy shrunk_twice from program '${LONG_ROWS}'`)
    await cluster.sql('drop table dropped')
    await cluster.sql('create table dropped (id integer, note text)')
    await fill('dropped', 'd')
    await cluster.sql(`update vacuumed set note = 'changed' where id = 7`)
    await runBackup(cluster.backupStore, cluster.source, 'incremental')
    await stream.flushed()
    const expected = await cluster.sql(contents)

    const chained = await restoreTo(cluster.backupStore, 'latest')
    expect(chained.chain).toHaveLength(3)
    await expectSame(chained, expected)
  }, 120_000)

  it('is what the full backup and the WAL alone give', async () => {
    const expected = await cluster.sql(contents)
    const { backups } = await (await import('../../src/backup/index.ts')).readCatalog(cluster.backupStore)
    for (const { id, kind } of backups) {
      if (kind === 'full') continue
      for await (const { key } of cluster.store.list(`backups/${cluster.backupStore.systemId}/base/${id}/`)) {
        await cluster.store.delete(key)
      }
    }
    const alone = await restoreTo(cluster.backupStore, 'latest')
    expect(alone.chain).toHaveLength(1)
    await expectSame(alone, expected)
  }, 120_000)
})
