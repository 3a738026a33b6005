/** Cost of a query over the archive beside DuckDB on the same files in a warm process. */
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { openQueries, type Queries, type QueryResult, runArchive } from '../src/lifecycle/index.ts'
import { openObjectStore } from '../src/object-store/index.ts'
import { addEvents } from './archive.ts'
import { benchCluster } from './cluster.ts'
import { atMost, type Benchmark, bencher, figure, interleave, median, type Result } from './harness.ts'

const DAYS = 10
const ROWS_A_DAY = 1_000_000
const DAY_MS = 86_400_000
const FIRST = Date.UTC(2016, 0, 1)
const EVENTS = { schema: 'akashi_security', table: 'security_events' } as const
/** Milliseconds above DuckDB by hand. */
const ABOVE_MS = 10
const LOOKUP_MS = 100

const questions = {
  'one-day aggregate': `select event_type, severity, count(*) as n from security_events
    where created_at >= timestamptz '2016-01-05' and created_at < timestamptz '2016-01-06' group by all order by all`,
  'actor lookup': `select id, created_at, event_type, result from security_events
    where user_name = 'user7919' order by created_at desc limit 100`,
  'text match': `select count(*) as n, min(created_at) as first from security_events where description like '%user 7919 %'`,
} as const

export const query: Benchmark = {
  name: 'query',
  description: 'three queries over ten archived days, relative to plain DuckDB on the same files',
  async run(options) {
    const folder = await mkdtemp(join(tmpdir(), 'akashi-bench-query-'))
    const cluster = await benchCluster()
    const cache = join(folder, 'cache')
    try {
      const store = await openObjectStore(`file:${join(folder, 'objects')}`)
      for (let day = 0; day < DAYS; day += 1) {
        await addEvents(cluster, new Date(FIRST + day * DAY_MS), Math.round(ROWS_A_DAY * options.scale))
        await runArchive(cluster.worker, bencher, store, { table: EVENTS })
        options.progress(`day ${day + 1}/${DAYS} archived`)
      }
      const database = cluster.connections.open('security_admin', { poolSize: 2 })
      const queries = openQueries({ database, store, folder: cache })
      const instance = await DuckDBInstance.create(':memory:', { threads: String(availableParallelism()) })
      try {
        const hand = await instance.connect()
        await hand.run("set timezone = 'UTC'")
        const results: Result[] = []
        for (const [name, sql] of Object.entries(questions)) {
          results.push(...(await compare(name, sql, { queries, hand, cache, options })))
        }
        return results
      } finally {
        queries.close()
        instance.closeSync()
        await database.close()
      }
    } finally {
      await cluster.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
}

interface Sides {
  readonly queries: Queries
  readonly hand: DuckDBConnection
  readonly cache: string
  readonly options: Parameters<Benchmark['run']>[0]
}

async function compare(
  name: string,
  sql: string,
  { queries, hand, cache, options }: Sides,
): Promise<Result[]> {
  const ours = () => queries.run(bencher, { sql })
  const first = await ours()
  const byHand = sql.replace('from security_events', `from read_parquet('${cache}/*.parquet')`)
  expectEqual(name, first, await (await hand.runAndReadAll(byHand)).getRowsJson())
  const { akashi, duckdb } = await interleave(
    {
      akashi: () => timed(ours),
      duckdb: () => timed(() => hand.runAndReadAll(byHand)),
    },
    options,
  )
  return [
    atMost(
      `${name}: above plain DuckDB`,
      median(akashi.map((ms, round) => ms - (duckdb[round] ?? Number.NaN))),
      'ms',
      ABOVE_MS,
    ),
    name === 'actor lookup'
      ? atMost(`${name}, warm`, median(akashi), 'ms', LOOKUP_MS)
      : figure(`${name}, warm`, median(akashi), 'ms'),
    figure(`${name}: plain DuckDB`, median(duckdb), 'ms'),
  ]
}

/** Comparing times of different results would be meaningless. */
function expectEqual(name: string, { rows }: QueryResult, expected: readonly (readonly unknown[])[]): void {
  const text = (values: readonly (readonly unknown[])[]) =>
    JSON.stringify(values.map((row) => row.map(String)))
  if (rows.length === 0 || text(rows) !== text(expected)) throw new Error(`${name}: the results differ`)
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}
