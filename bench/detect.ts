/** The pack of rules over archived events, in one pass, and over events as they arrive. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { calendarOf, OWN_RULES, readRuleFolders, runHistory } from '../src/detection/index.ts'
import { openQueries, runArchive } from '../src/lifecycle/index.ts'
import { openObjectStore } from '../src/object-store/index.ts'
import { addEvents } from './archive.ts'
import { benchCluster } from './cluster.ts'
import { liveResults } from './detect-live.ts'
import { atMost, type Benchmark, type BenchmarkOptions, bencher, figure, type Result } from './harness.ts'

const DAYS = 10
const ROWS_A_DAY = 1_000_000
const DAY_MS = 86_400_000
const FIRST = Date.UTC(2016, 0, 1)
const EVENTS = { schema: 'akashi_security', table: 'security_events' } as const
/** For 60 rules over ten million events. */
const LIMIT_S = 60

export const detect: Benchmark = {
  name: 'detect',
  description: 'all rules of the pack over ten archived days, and over events as they arrive',
  run: async (options) => [...(await archivedResults(options)), ...(await liveResults(options))],
}

async function archivedResults(options: BenchmarkOptions): Promise<Result[]> {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-bench-detect-'))
  const cluster = await benchCluster()
  try {
    const store = await openObjectStore(`file:${join(folder, 'objects')}`)
    const rows = Math.round(ROWS_A_DAY * options.scale)
    for (let day = 0; day < DAYS; day += 1) {
      await addEvents(cluster, new Date(FIRST + day * DAY_MS), rows)
      await runArchive(cluster.worker, bencher, store, { table: EVENTS })
      options.progress(`day ${day + 1}/${DAYS} archived`)
    }
    const database = cluster.connections.open('security_admin', { poolSize: 2 })
    const queries = openQueries({ database, store, folder: join(folder, 'cache') })
    try {
      const { rules } = await readRuleFolders([OWN_RULES])
      const calendar = calendarOf('Asia/Tokyo', [])
      const results: Result[] = []
      for (const state of ['first', 'warm'] as const) {
        const begun = performance.now()
        const { findings, matched } = await runHistory(queries, bencher, rules, calendar, {
          from: null,
          to: null,
          reason: 'benchmark',
        })
        const seconds = (performance.now() - begun) / 1000
        results.push(
          atMost(
            `${rules.length} rules over ${rows * DAYS} archived events, ${state}`,
            seconds,
            's',
            LIMIT_S,
          ),
        )
        if (state === 'warm') {
          results.push(
            figure('events that a rule matched', matched, ''),
            figure('findings', findings.length, ''),
          )
        }
      }
      return results
    } finally {
      queries.close()
      await database.close()
    }
  } finally {
    await cluster.close()
    await rm(folder, { recursive: true, force: true })
  }
}
