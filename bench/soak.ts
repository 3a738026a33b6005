/**
 * A day of many events through everything that keeps them: taken in from logs, sealed, archived, dropped, verified,
 * queried and backed up, with nothing lost and memory that does not grow with the number of days.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { seal, securityEvents, verifierKeys, verify } from '../src/audit/index.ts'
import { identify, openBackupStore, runBackup, verifyBackups } from '../src/backup/index.ts'
import { archivedRows, archiveStatus, openQueries, runArchive } from '../src/lifecycle/index.ts'
import { type ObjectStore, openObjectStore } from '../src/object-store/index.ts'
import { loadEvents, parseEvents } from '../src/security/index.ts'
import { type BenchCluster, benchCluster } from './cluster.ts'
import { atMost, type Benchmark, type BenchmarkOptions, bencher, figure, type Result } from './harness.ts'

const EVENTS = 10_000_000
const DAYS = 10
const DAY_MS = 86_400_000
const FIRST = Date.UTC(2016, 0, 1)
const TABLE = { schema: 'akashi_security', table: 'security_events' } as const
const BYTES_A_MEBIBYTE = 1024 * 1024
const MEMORY_SAMPLE_MS = 50
const SECONDS = 1_200
/** Memory of the last day ÷ that of the second: the first also loads programs. */
const FLAT = 1.25
const TENANTS = 40
const USERS = 100_000

/** Seconds and peak resident bytes of a piece of work. */
interface Spent {
  seconds: number
  peakBytes: number
}

const phases = ['taken in', 'sealed', 'archived and dropped', 'backed up', 'verified', 'queried'] as const

export const soak: Benchmark = {
  name: 'soak',
  description: `${EVENTS} events of ${DAYS} days taken in, sealed, archived, dropped, backed up, verified and queried`,
  async run(options) {
    const folder = await mkdtemp(join(tmpdir(), 'akashi-bench-soak-'))
    const cluster = await benchCluster()
    try {
      const store = await openObjectStore(`file:${join(folder, 'objects')}`)
      return await run(cluster, store, join(folder, 'cache'), options)
    } finally {
      await cluster.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
}

async function run(
  cluster: BenchCluster,
  store: ObjectStore,
  cache: string,
  { scale, progress }: BenchmarkOptions,
): Promise<Result[]> {
  const { worker, keyring, connections } = cluster
  const daily = Math.round((EVENTS * scale) / DAYS)
  const spent = new Map<string, Spent>(phases.map((name) => [name, { seconds: 0, peakBytes: 0 }]))
  const peaks: number[] = []
  const measure = async <T>(name: (typeof phases)[number], work: () => Promise<T>): Promise<T> => {
    const { result, seconds, peakBytes } = await measured(work)
    const sum = spent.get(name)
    spent.set(name, {
      seconds: (sum?.seconds ?? 0) + seconds,
      peakBytes: Math.max(sum?.peakBytes ?? 0, peakBytes),
    })
    peaks[peaks.length - 1] = Math.max(peaks.at(-1) ?? 0, peakBytes)
    progress(`  ${name}: ${seconds.toFixed(1)} s, ${Math.round(peakBytes / BYTES_A_MEBIBYTE)} MiB`)
    return result
  }
  const url = connections.directUrl('backup')
  const source = { url, database: connections.open('backup', { poolSize: 1 }) }
  const { systemId } = await identify(url)
  const backupStore = await openBackupStore({ store, keyring }, systemId)
  const begun = performance.now()
  try {
    for (let day = 0; day < DAYS; day += 1) {
      progress(`day ${day + 1}/${DAYS}`)
      peaks.push(0)
      const lines = Readable.from(logLines(FIRST + day * DAY_MS, daily))
      const loaded = await measure('taken in', () =>
        loadEvents(
          worker,
          bencher,
          parseEvents(lines, { format: 'json', asOf: new Date(), source: `day ${day}` }),
          { source: `day ${day}`, format: 'json' },
        ),
      )
      if (loaded.stored !== daily) throw new Error(`${loaded.stored} of ${daily} events were stored`)
      await measure('sealed', () => seal(worker, bencher, keyring, securityEvents))
      const rows = await measure('archived and dropped', () =>
        runArchive(worker, bencher, store, { table: TABLE }),
      )
      const failed = rows.find(({ dropped }) => !dropped)
      if (failed !== undefined) throw new Error(failed.message)
      // Backups are daily; each one more would only repeat the same work.
      if (day === 0 || day === DAYS - 1)
        await measure('backed up', () => runBackup(backupStore, source, 'full'))
    }
    peaks.push(0)
    const report = await measure('verified', () =>
      verify(worker, bencher, {
        verifierKeys: verifierKeys(keyring),
        archived: archivedRows(worker, bencher, store),
      }),
    )
    const checked = report.logs.find(({ log }) => log === securityEvents.log)?.checked ?? 0
    if (!report.ok || checked < daily * DAYS) {
      throw new Error(`${checked} of ${daily * DAYS} events were verified: ${JSON.stringify(report)}`)
    }
    const backups = await verifyBackups(backupStore)
    if (!backups.ok) throw new Error(`the backups are damaged: ${JSON.stringify(backups.problems)}`)
    const found = await measure('queried', () => count(cluster, store, cache))
    if (found !== daily * DAYS) throw new Error(`a query finds ${found} of ${daily * DAYS} events`)
    const archived = await archiveStatus(worker, bencher, { table: TABLE })
    const bytes = archived.reduce((sum, each) => sum + (each.bytes ?? 0), 0)
    const seconds = (performance.now() - begun) / 1000
    return [
      atMost(`${daily * DAYS} events, everything`, seconds, 's', SECONDS),
      atMost('memory of the last day ÷ of the second', (peaks[DAYS - 1] ?? 0) / (peaks[1] ?? 0), '', FLAT),
      figure('bytes of an archived event', bytes / (daily * DAYS), ''),
      ...phases.flatMap((name) => [
        figure(name, spent.get(name)?.seconds ?? Number.NaN, 's'),
        figure(`${name}: peak memory`, (spent.get(name)?.peakBytes ?? Number.NaN) / BYTES_A_MEBIBYTE, 'MiB'),
      ]),
    ]
  } finally {
    await source.database.close()
  }
}

async function count(cluster: BenchCluster, store: ObjectStore, cache: string): Promise<number> {
  const database = cluster.connections.open('security_admin', { poolSize: 2 })
  const queries = openQueries({ database, store, folder: cache })
  try {
    const { rows } = await queries.run(bencher, {
      sql: `select count(*) as n, count(distinct tenant_id) as tenants from security_events where created_at < timestamptz '2017-01-01'`,
    })
    const [[n, tenants] = []] = rows
    if (Number(tenants) !== TENANTS) throw new Error(`a query finds ${String(tenants)} tenants`)
    return Number(n)
  } finally {
    queries.close()
    await database.close()
  }
}

async function measured<T>(work: () => Promise<T>): Promise<Spent & { readonly result: T }> {
  let peakBytes = process.memoryUsage.rss()
  const sampling = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
  }, MEMORY_SAMPLE_MS)
  const begun = performance.now()
  try {
    const result = await work()
    return { result, seconds: (performance.now() - begun) / 1000, peakBytes }
  } finally {
    clearInterval(sampling)
  }
}

const LINES_A_CHUNK = 500

/** JSON lines as an identity provider writes them. */
function* logLines(from: number, rows: number): Generator<Buffer> {
  let chunk = ''
  for (let i = 0; i < rows; i += 1) {
    const user = (i * 7919) % USERS
    const failed = i % 7 === 0
    chunk += `${JSON.stringify({
      event_type: failed ? 'authentication_failure' : 'authentication_success',
      event_category: 'authentication',
      severity: failed ? 'low' : 'info',
      source_service: 'idp',
      source_ip: `10.${i % 200}.${(i * 17) % 250}.${user % 250}`,
      user_agent:
        'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/129.0.0.0 Safari/537.36',
      user_name: `user${user}`,
      result: failed ? 'failure' : 'success',
      request_id: `req-${from}-${i}`,
      tenant_id: `tenant-${i % TENANTS}`,
      created_at: new Date(from + Math.floor((i / rows) * DAY_MS)).toISOString(),
      event_details: { attempt: i % 9, method: 'password' },
    })}\n`
    if ((i + 1) % LINES_A_CHUNK === 0) {
      yield Buffer.from(chunk)
      chunk = ''
    }
  }
  yield Buffer.from(chunk)
}
