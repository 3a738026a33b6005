/** How long applications wait for maintenance: for its locks, and for their statements while it works. */
import { setTimeout as sleep } from 'node:timers/promises'
import { maintenanceTasks } from '../src/operations/index.ts'
import { openDatabase } from '../src/postgres/index.ts'
import { type BenchCluster, benchCluster } from './cluster.ts'
import { atMost, type Benchmark, bencher, figure, type Result } from './harness.ts'

const ROWS = 400_000
/** Applications that read and write one row after another. */
const WRITERS = 4
/** Milliseconds between two looks at who waits for whom. */
const LOOK_MS = 5
/** Milliseconds between two changes of the table's definition. */
const ALTER_EVERY_MS = 40
const QUIET_MS = 5_000
const BAR_MS = 100

/** In this order; each finds something to do, as the table is made anew before each round. */
const TASKS = ['maintenance.analyze', 'maintenance.vacuum', 'maintenance.reindex', 'history.prune'] as const

interface Waits {
  /** Milliseconds of the longest wait for a lock of maintenance. */
  longestMs: number
  /** How often somebody was seen to wait. */
  seen: number
}

export const maintenance: Benchmark = {
  name: 'maintenance',
  description:
    'how long anybody waits for the locks of analyze, vacuum, reindex and prune, and for a statement meanwhile',
  async run({ rounds, scale, progress }) {
    const cluster = await benchCluster()
    const readings: Result[] = []
    try {
      await cluster.asAdministrator((session) =>
        session.query(
          `update akashi_lifecycle.settings set value = '1' where key = 'maintenance.reindex_min_mb'`,
        ),
      )
      const rows = Math.round(ROWS * scale)
      const waits: Waits = { longestMs: 0, seen: 0 }
      const alone: number[] = []
      const meanwhile: number[] = []
      const altered: number[] = []
      const alteredAlone: number[] = []
      let done = 0
      for (let round = 0; round < rounds; round += 1) {
        await makeTable(cluster, rows)
        alone.push(...(await underLoad(cluster, rows, () => sleep(QUIET_MS))))
        // First as on most days: nobody alters the table, and everything is carried out.
        await makeTable(cluster, rows)
        meanwhile.push(
          ...(await underLoad(cluster, rows, () => watched(cluster, waits, () => maintain(cluster)))),
        )
        done += await rebuilt(cluster)
        await makeTable(cluster, rows)
        await whileAltering(cluster, alteredAlone, () => sleep(QUIET_MS))
        // Then with somebody who does, for whom maintenance gives way.
        await watched(cluster, waits, () => whileAltering(cluster, altered, () => maintain(cluster)))
        progress(
          `round ${round + 1}/${rounds}: longest wait ${waits.longestMs.toFixed(0)} ms, longest alter ${Math.max(...altered).toFixed(0)} ms`,
        )
      }
      readings.push(
        atMost('longest wait for a lock of maintenance', waits.longestMs, 'ms', BAR_MS),
        figure('waits seen', waits.seen, 'times'),
        figure('longest alter table, no maintenance', Math.max(...alteredAlone), 'ms'),
        figure('longest alter table, during maintenance', Math.max(...altered), 'ms'),
        figure('tables altered during maintenance', altered.length, 'times'),
        figure('rounds in which the index was rebuilt under load', done, `of ${rounds}`),
        figure('statement p99.9, no maintenance', percentile(alone, 0.999), 'ms'),
        figure('statement p99.9, during maintenance', percentile(meanwhile, 0.999), 'ms'),
        figure('longest statement, no maintenance', Math.max(...alone), 'ms'),
        figure('longest statement, during maintenance', Math.max(...meanwhile), 'ms'),
      )
      return readings
    } finally {
      await cluster.close()
    }
  },
}

/** A table with an index that is four fifths empty, changed rows without statistics, and dead rows. */
async function makeTable({ asAdministrator }: BenchCluster, rows: number): Promise<void> {
  await asAdministrator(async (session) => {
    await session.query('drop table if exists bench_upkeep')
    await session.query(
      `create table bench_upkeep (id integer primary key, note text not null, changed integer not null default 0)
       with (autovacuum_enabled = false)`,
    )
    await session.query('grant select, update on bench_upkeep to akashi_app')
    await session.query(
      `insert into bench_upkeep (id, note) select n, 'two boxes of green tea' from generate_series(1, $1::integer) n`,
      [rows],
    )
    await session.query('delete from bench_upkeep where id % 5 <> 0')
    await session.query('select pg_stat_force_next_flush()')
  })
}

async function maintain({ connections, worker }: BenchCluster): Promise<void> {
  const tasks = maintenanceTasks(connections.adminUrl)
  const silent = () => undefined
  const log = { debug: silent, info: silent, warn: silent, error: silent }
  for (const name of TASKS) {
    // A rebuild that gave way fails its run, so that the next one tries again.
    await tasks[name]?.({
      worker,
      actor: bencher,
      signal: new AbortController().signal,
      log,
      onProgress: silent,
    }).catch((error: unknown) => {
      if (name !== 'maintenance.reindex') throw error
    })
  }
}

/** Whether the index is as small as its rows need, so that the rebuild has taken place. */
async function rebuilt({ asAdministrator }: BenchCluster): Promise<number> {
  const { rows } = await asAdministrator((session) =>
    session.query<{ small: boolean }>(
      `select pg_relation_size('bench_upkeep_pkey') < c.reltuples * 40 as small from pg_class c where c.oid = 'bench_upkeep'::regclass`,
    ),
  )
  return rows[0]?.small === true ? 1 : 0
}

/** Milliseconds of every statement of the applications while the work runs. */
async function underLoad(
  cluster: BenchCluster,
  rows: number,
  work: () => Promise<unknown>,
): Promise<number[]> {
  const application = cluster.connections.open('app', { poolSize: WRITERS })
  const times: number[] = []
  let running = true
  const write = async () => {
    while (running) {
      const id = 5 * Math.ceil(Math.random() * (rows / 5))
      await application.transaction(bencher, async (session) => {
        for (const statement of [
          'select note from public.bench_upkeep where id = $1',
          'update public.bench_upkeep set changed = changed + 1 where id = $1',
        ]) {
          const begun = performance.now()
          await session.query(statement, [id])
          times.push(performance.now() - begun)
        }
      })
    }
  }
  try {
    const writing = Promise.all(Array.from({ length: WRITERS }, write))
    await work()
    running = false
    await writing
    return times
  } finally {
    running = false
    await application.close()
  }
}

/** Alters the table again and again while the work runs; `times` gets the milliseconds of each. */
async function whileAltering(
  { asAdministrator }: BenchCluster,
  times: number[],
  work: () => Promise<unknown>,
): Promise<void> {
  let running = true
  const altering = asAdministrator(async (session) => {
    for (let change = 0; running; change += 1) {
      await sleep(ALTER_EVERY_MS)
      const begun = performance.now()
      await session.query(
        change % 2 === 0
          ? 'alter table bench_upkeep add column if not exists extra integer'
          : 'alter table bench_upkeep drop column if exists extra',
      )
      times.push(performance.now() - begun)
    }
  })
  await work()
  running = false
  await altering
}

/** Looks on while the work runs at whether a session waits for one of maintenance, and for how long. */
async function watched(
  { connections }: BenchCluster,
  waits: Waits,
  work: () => Promise<unknown>,
): Promise<void> {
  const watcher = openDatabase({ url: connections.adminUrl, role: 'owner', poolSize: 1 })
  let running = true
  const since = new Map<number, number>()
  const watching = watcher.direct(async (session) => {
    while (running) {
      const { rows } = await session.query<{ pid: number }>(
        `select distinct w.pid from pg_locks w
         where not w.granted and exists (
           select 1 from unnest(pg_blocking_pids(w.pid)) b (pid) join pg_stat_activity a on a.pid = b.pid
           where a.application_name = 'akashi worker')
           and (select application_name from pg_stat_activity a where a.pid = w.pid) <> 'akashi worker'`,
      )
      const now = performance.now()
      const waiting = new Set(rows.map(({ pid }) => pid))
      for (const pid of since.keys()) if (!waiting.has(pid)) since.delete(pid)
      for (const pid of waiting) {
        const begun = since.get(pid)
        if (begun === undefined) {
          since.set(pid, now)
          waits.seen += 1
        }
        // It may have begun right after the look before, and end right before the next.
        waits.longestMs = Math.max(waits.longestMs, now - (begun ?? now) + 2 * LOOK_MS)
      }
      await sleep(LOOK_MS)
    }
  })
  try {
    await work()
  } finally {
    running = false
    await watching
    await watcher.close()
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
