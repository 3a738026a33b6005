/** Ingestion rate of an sshd log including parsing, relative to a bare COPY of the same rows. */
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { logGenerators, SSHD_LOG_TIMEZONE, SSHD_LOG_YEAR } from '../scripts/event-logs/index.ts'
import { loadEvents, parseEvents } from '../src/security/index.ts'
import { type BenchCluster, benchCluster } from './cluster.ts'
import { cpuMilliseconds } from './cpu.ts'
import { atLeast, type Benchmark, bencher, figure, interleave, median, ratio } from './harness.ts'

const LINES = 200_000
const SEED = 1
const WRITE_CHARACTERS = 1 << 20
const MEMORY_SAMPLE_MS = 50
const MICROSECONDS_A_MILLISECOND = 1000
const BYTES_A_MEBIBYTE = 1024 * 1024

const columns = `id, created_at, event_type, event_category, severity, source_service, description, user_id, user_name,
  external_user_id, session_id, source_ip, user_agent, resource_type, resource_id, action_performed, result, tenant_id,
  tenant_name, client_id, client_name, request_id, trace_id, ocsf_class_uid, event_details`

export const ingest: Benchmark = {
  name: 'ingest',
  description: 'events per second from the lines of a log into the sealed table, against a bare COPY',
  async run(options) {
    const folder = await mkdtemp(join(tmpdir(), 'akashi-bench-ingest-'))
    const cluster = await benchCluster()
    try {
      const log = join(folder, 'sshd.log')
      const rows = join(folder, 'rows.copy')
      await writeLog(log, Math.round(LINES * options.scale))
      let run = 0
      let peak = 0
      const cpu: Record<'ingest' | 'copy', number[]> = { ingest: [], copy: [] }
      const counting = async <T>(name: keyof typeof cpu, work: () => Promise<T>) => {
        const before = await cluster.asAdministrator(cpuMilliseconds)
        const result = await work()
        cpu[name].push((await cluster.asAdministrator(cpuMilliseconds)) - before)
        return result
      }
      const take = async () => {
        run += 1
        const { stored, seconds, peakBytes } = await ingestLog(cluster, log, `run ${run}`)
        peak = Math.max(peak, peakBytes)
        return stored / seconds
      }
      // Creates the partitions, and the rows that the baseline copies.
      await take()
      await cluster.asAdministrator((session) =>
        session.query(
          `create table bench_events as select ${columns} from akashi_security.security_events with no data`,
        ),
      )
      const events = await writeRows(cluster, rows)
      options.progress(`${events} events`)
      const rates = await interleave(
        {
          ingest: () => counting('ingest', take),
          copy: () => counting('copy', async () => events / (await copyIn(cluster, rows))),
        },
        options,
      )
      return [
        figure('ingested', median(rates.ingest), 'events/s'),
        figure('bare COPY', median(rates.copy), 'events/s'),
        atLeast('ingestion ÷ bare COPY', ratio(rates.ingest, rates.copy), '', 0.3),
        figure('CPU time of bare COPY ÷ of ingestion', ratio(cpu.copy, cpu.ingest), ''),
        figure('CPU time per event', (median(cpu.ingest) * MICROSECONDS_A_MILLISECOND) / events, 'µs'),
        figure('peak memory of Node during ingestion', peak / BYTES_A_MEBIBYTE, 'MiB'),
      ]
    } finally {
      await cluster.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
}

async function writeLog(path: string, lines: number): Promise<void> {
  const file: FileHandle = await open(path, 'w')
  let chunk = ''
  for (const line of logGenerators.sshd(lines, SEED)) {
    chunk += `${line}\n`
    if (chunk.length < WRITE_CHARACTERS) continue
    await file.write(chunk)
    chunk = ''
  }
  await file.write(chunk)
  await file.close()
}

/** A different source gives the same lines other ids, so that every round adds all events. */
async function ingestLog(
  { worker }: BenchCluster,
  path: string,
  source: string,
): Promise<{ stored: number; seconds: number; peakBytes: number }> {
  let peakBytes = process.memoryUsage.rss()
  const sampling = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
  }, MEMORY_SAMPLE_MS)
  const begun = performance.now()
  const events = parseEvents(createReadStream(path), {
    format: 'sshd',
    year: SSHD_LOG_YEAR,
    timezone: SSHD_LOG_TIMEZONE,
    asOf: new Date(),
    source,
  })
  const { stored } = await loadEvents(worker, bencher, events, { source, format: 'sshd' })
  const seconds = (performance.now() - begun) / 1000
  clearInterval(sampling)
  return { stored, seconds, peakBytes }
}

async function writeRows(cluster: BenchCluster, path: string): Promise<number> {
  const file = await open(path, 'w')
  return await cluster.asAdministrator(async (session) => {
    await pipeline(
      session.copyTo(`copy (select ${columns} from akashi_security.security_events) to stdout`),
      file.createWriteStream(),
    )
    const { rows } = await session.query<{ events: number }>(
      'select count(*)::integer as events from akashi_security.security_events',
    )
    return rows[0]?.events ?? 0
  })
}

async function copyIn(cluster: BenchCluster, path: string): Promise<number> {
  return await cluster.asAdministrator(async (session) => {
    await session.query('truncate bench_events')
    const begun = performance.now()
    await pipeline(createReadStream(path), session.copyFrom(`copy bench_events (${columns}) from stdin`))
    return (performance.now() - begun) / 1000
  })
}
