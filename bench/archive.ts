/** Cost of archiving (export, read back, compare) relative to a plain COPY of the same rows as CSV. */
import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { seal, securityEvents } from '../src/audit/index.ts'
import { archiveStatus } from '../src/lifecycle/index.ts'
import { type BenchCluster, benchCluster } from './cluster.ts'
import { serverCpuMilliseconds } from './cpu.ts'
import { atMost, type Benchmark, bencher, figure, median } from './harness.ts'

const ROWS = 1_000_000
/** Memory must not grow with the partition: ratio of the largest to the smallest partition. */
const GROWTH = 10
const BYTES_A_MEBIBYTE = 1024 * 1024

export const archive: Benchmark = {
  name: 'archive',
  description:
    'export, read back and compare one day of events, against COPY … TO STDOUT of the same rows as CSV',
  async run(options) {
    const folder = await mkdtemp(join(tmpdir(), 'akashi-bench-archive-'))
    const cluster = await benchCluster()
    try {
      const store = `file:${join(folder, 'objects')}`
      const rows = Math.round(ROWS * options.scale)
      const ratios: number[] = []
      const sizes: number[] = []
      const seconds: number[] = []
      const cpuRatios: number[] = []
      const byHand: { wall: number[]; cpu: number[] } = { wall: [], cpu: [] }
      let peak = 0
      for (let round = 0; round < options.rounds; round += 1) {
        const day = new Date(Date.UTC(2016, 0, 1 + round))
        await addEvents(cluster, day, rows)
        const first = await copyOut(cluster, day)
        const run = await measured(cluster, store)
        const second = await copyOut(cluster, day)
        const hand = await convertByHand(cluster, day, folder)
        byHand.wall.push(run.seconds / hand.seconds)
        byHand.cpu.push(sum(run.cpu) / sum(hand.cpu))
        const copySeconds = (first.seconds + second.seconds) / 2
        const exported = (await archiveStatus(cluster.worker, bencher)).find(({ from }) =>
          from.startsWith(isoDay(day)),
        )
        ratios.push(run.seconds / copySeconds)
        sizes.push((exported?.bytes ?? Number.NaN) / first.bytes)
        seconds.push(run.seconds)
        const copyCpu = (sum(first.cpu) + sum(second.cpu)) / 2
        cpuRatios.push(sum(run.cpu) / copyCpu)
        peak = Math.max(peak, run.peakBytes)
        options.progress(
          `round ${round + 1}: archive ${run.seconds.toFixed(1)} s (${inWords(run.cpu)}), copy ${copySeconds.toFixed(1)} s (${inWords(first.cpu)}), by hand ${hand.seconds.toFixed(1)} s (${inWords(hand.cpu)})`,
        )
      }
      const day = new Date(Date.UTC(2017, 0, 1))
      await addEvents(cluster, day, rows * GROWTH)
      options.progress(`${rows * GROWTH} rows inserted`)
      const large = await measured(cluster, store)
      return [
        atMost('export + read back + compare ÷ COPY as CSV', median(ratios), '×', 2),
        atMost('the same in CPU time', median(cpuRatios), '×', 2.3),
        figure('÷ COPY and DuckDB by hand, without any check', median(byHand.wall), '×'),
        figure('the same in CPU time', median(byHand.cpu), '×'),
        atMost('size ÷ CSV', median(sizes), '', 1 / 6),
        figure('rows archived per second', rows / median(seconds), 'rows/s'),
        atMost(`peak memory of the process, ${rows} rows`, peak / BYTES_A_MEBIBYTE, 'MiB', 400),
        atMost(
          `peak memory of the process, ${rows * GROWTH} rows`,
          large.peakBytes / BYTES_A_MEBIBYTE,
          'MiB',
          400,
        ),
        figure(`rows archived per second, ${rows * GROWTH} rows`, (rows * GROWTH) / large.seconds, 'rows/s'),
      ]
    } finally {
      await cluster.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
}

/** CPU seconds of the client process, including DuckDB, and of PostgreSQL. */
interface CpuSeconds {
  readonly client: number
  readonly server: number
}

function sum({ client, server }: CpuSeconds): number {
  return client + server
}

function inWords({ client, server }: CpuSeconds): string {
  return `CPU s: PostgreSQL ${server.toFixed(1)}, client ${client.toFixed(1)}`
}

function isoDay(day: Date): string {
  return day.toISOString().slice(0, 10)
}

/** Adds the events of one day as of an identity provider, and seals them. */
export async function addEvents(cluster: BenchCluster, day: Date, rows: number): Promise<void> {
  const date = isoDay(day)
  await cluster.asAdministrator(async (session) => {
    await session.query(
      `select akashi_lifecycle.create_partitions('akashi_security.security_events', '${date}T00:00Z', '${date}T00:00Z')`,
    )
    await session.query(
      `insert into akashi_security.security_events (created_at, event_type, event_category, severity, source_service, description,
         user_id, user_name, source_ip, user_agent, resource_type, resource_id, action_performed, result, tenant_id,
         request_id, trace_id, event_details)
       select timestamptz '${date}T00:00Z' + i * interval '86400 seconds' / ${rows + 1},
         (array['login_success', 'login_failure', 'token_issued', 'password_change', 'logout'])[1 + i * 31 % 5],
         'authentication', (array['info', 'low', 'medium', 'high'])[1 + i * 17 % 4], 'idp',
         'user ' || i * 7919 % 100000 || ' signed in from the web client', md5((i * 7919 % 100000)::text)::uuid,
         'user' || i * 7919 % 100000, ('10.' || i * 31 % 200 || '.' || i * 17 % 250 || '.' || i * 7919 % 250)::inet,
         case i % 2 when 0 then 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36'
                    else 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148' end,
         'session', 's-' || i, 'login', case when i % 7 = 0 then 'failure' else 'success' end, 'tenant-' || i % 40,
         'req-' || md5(i::text), md5((i * 3)::text),
         jsonb_build_object('port', 1024 + i % 60000, 'method', 'password', 'attempt', i % 5, 'country', 'JP')
       from generate_series(1::bigint, ${rows}::bigint) i`,
    )
  })
  await seal(cluster.worker, bencher, cluster.keyring, securityEvents)
  await cluster.asAdministrator((session) => session.query('vacuum analyze akashi_security.security_events'))
}

/** The baseline: every row as CSV, counted and discarded. */
async function copyOut(
  cluster: BenchCluster,
  day: Date,
): Promise<{ seconds: number; cpu: CpuSeconds; bytes: number }> {
  return await cluster.asAdministrator(async (session) => {
    const server = await serverCpuMilliseconds(session)
    const started = process.cpuUsage()
    const begun = performance.now()
    let bytes = 0
    const name = `akashi_security.security_events_p${isoDay(day).replaceAll('-', '')}`
    for await (const chunk of session.copyTo(`copy ${name} to stdout (format csv)`)) {
      bytes += (chunk as Uint8Array).length
    }
    const seconds = (performance.now() - begun) / 1000
    const { user, system } = process.cpuUsage(started)
    const cpu = {
      client: (user + system) / 1_000_000,
      server: ((await serverCpuMilliseconds(session)) - server) / 1000,
    }
    return { seconds, cpu, bytes }
  })
}

/** What a user would do instead: COPY into a file, and DuckDB converts it; nothing is read back or compared. */
async function convertByHand(
  cluster: BenchCluster,
  day: Date,
  folder: string,
): Promise<{ seconds: number; cpu: CpuSeconds }> {
  return await cluster.asAdministrator(async (session) => {
    const server = await serverCpuMilliseconds(session)
    const started = process.cpuUsage()
    const begun = performance.now()
    const name = `akashi_security.security_events_p${isoDay(day).replaceAll('-', '')}`
    const [csv, parquet] = [join(folder, 'hand.csv'), join(folder, 'hand.parquet')]
    await pipeline(session.copyTo(`copy ${name} to stdout (format csv, header)`), createWriteStream(csv))
    const instance = await DuckDBInstance.create(':memory:')
    try {
      const hand = await instance.connect()
      await hand.run(
        `copy (select * from read_csv('${csv}')) to '${parquet}' (format parquet, compression zstd)`,
      )
    } finally {
      instance.closeSync()
    }
    const seconds = (performance.now() - begun) / 1000
    const { user, system } = process.cpuUsage(started)
    for (const file of [csv, parquet]) await rm(file)
    const cpu = {
      client: (user + system) / 1_000_000,
      server: ((await serverCpuMilliseconds(session)) - server) / 1000,
    }
    return { seconds, cpu }
  })
}

/** Runs in a separate process, so that its memory is that of the archive only. */
async function measured(
  cluster: BenchCluster,
  store: string,
): Promise<{ seconds: number; cpu: CpuSeconds; peakBytes: number }> {
  const child = fileURLToPath(new URL('archive-child.ts', import.meta.url))
  return await cluster.asAdministrator(async (session) => {
    const before = await serverCpuMilliseconds(session)
    const { stdout } = await promisify(execFile)(process.execPath, [
      child,
      cluster.connections.directUrl('worker'),
      store,
    ])
    const { cpuSeconds, ...found }: { seconds: number; cpuSeconds: number; peakBytes: number } =
      JSON.parse(stdout)
    const server = ((await serverCpuMilliseconds(session)) - before) / 1000
    return { ...found, cpu: { client: cpuSeconds, server } }
  })
}
