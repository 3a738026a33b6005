/** How long after an attack its finding is there, while events arrive; what a proof costs; what detection costs the intake. */
import { setTimeout as sleep } from 'node:timers/promises'
import { checkProof, logs, readLogHeads, seal, securityEvents, verifierKeys } from '../src/audit/index.ts'
import {
  bundleFinding,
  calendarOf,
  checkFindingBundle,
  configuredRules,
  LiveDetector,
  OWN_RULES,
  readRuleFolders,
} from '../src/detection/index.ts'
import type { Database } from '../src/postgres/index.ts'
import { loadEvents, parseEvents } from '../src/security/index.ts'
import { type BenchCluster, benchCluster } from './cluster.ts'
import { atMost, type BenchmarkOptions, bencher, figure, median, type Result } from './harness.ts'

/** The peak load of an installation with a thousand people, from the requirements. */
const EVENTS_A_SECOND = 1_160
const SECONDS = 60
const LEAST_SECONDS = 20
/** One attack in so many seconds. */
const ATTACK_EVERY_S = 4
const FAILURES = 6
/** As the worker does it: sealing each second, detection each two seconds. */
const SEAL_EVERY_MS = 1_000
const DETECT_EVERY_MS = 2_000
/** What is under way when the last event was sent is waited for this long. */
const LAST_MS = 60_000
const LATENCY_LIMIT_S = 5
const BUNDLE_LIMIT_MS = 50
const CHECKS = 20
const INTAKE_LINES = 30_000
const PERCENTILE = 0.95

export async function liveResults({ rounds, scale, progress }: BenchmarkOptions): Promise<Result[]> {
  const cluster = await benchCluster()
  const database = cluster.connections.open('worker', { poolSize: 4 })
  const admin = cluster.connections.open('security_admin', { poolSize: 1 })
  try {
    const seconds = Math.max(LEAST_SECONDS, Math.round(SECONDS * scale))
    const { latencies, sent, took } = await latency(cluster, database, seconds)
    const sorted = latencies.found.toSorted((a, b) => a - b)
    progress(`${sent} events in ${took.toFixed(0)} s`)
    const slowest = sorted.at(-1) ?? Number.POSITIVE_INFINITY
    return [
      figure('events while attacks were looked for', sent / took, 'events/s'),
      figure('attacks that were found', (100 * sorted.length) / latencies.attacks, '%'),
      figure('from the commit of an attack to its finding, median', median(sorted), 's'),
      atMost(
        'from the commit of an attack to its finding, 95 of 100',
        sorted[Math.ceil(PERCENTILE * sorted.length) - 1] ?? slowest,
        's',
        LATENCY_LIMIT_S,
      ),
      figure('from the commit of an attack to its finding, slowest', slowest, 's'),
      ...(await bundle(cluster, admin)),
      ...(await intake(cluster, database, rounds, scale)),
    ]
  } finally {
    await Promise.all([database.close(), admin.close()])
    await cluster.close()
  }
}

/** Repeats a piece of work until it is stopped. */
function repeat(everyMs: number, work: () => Promise<unknown>): () => Promise<void> {
  const stop = new AbortController()
  const running = (async () => {
    while (!stop.signal.aborted) {
      const next = performance.now() + everyMs
      await work()
      await sleep(Math.max(0, next - performance.now()), undefined, { signal: stop.signal }).catch(
        () => undefined,
      )
    }
  })()
  return async () => {
    stop.abort()
    await running
  }
}

/** Sealing and detection, as a worker does them. */
async function watching(cluster: BenchCluster, database: Database, onRound: () => Promise<void>) {
  const { rules } = await readRuleFolders([OWN_RULES])
  const detector = new LiveDetector(rules, calendarOf('Asia/Tokyo', []))
  const sealing = repeat(SEAL_EVERY_MS, async () => {
    for (const log of logs) await seal(database, bencher, cluster.keyring, log)
  })
  const detecting = repeat(DETECT_EVERY_MS, async () => {
    if ((await detector.round(database, bencher)) > 0) await onRound()
  })
  return async () => {
    await Promise.all([sealing(), detecting()])
  }
}

async function latency(cluster: BenchCluster, database: Database, seconds: number) {
  const committed = new Map<string, number>()
  const found = new Map<string, number>()
  const look = async () => {
    const rows = await cluster.asAdministrator((session) =>
      session.query<{ address: string }>(
        `select subject ->> 'source_ip' as address from akashi_security.detection_findings where rule_name = 'brute_force_by_address'`,
      ),
    )
    for (const { address } of rows.rows) {
      const at = committed.get(address)
      if (at !== undefined && !found.has(address)) found.set(address, (performance.now() - at) / 1000)
    }
  }
  await cluster.asAdministrator((session) =>
    session.query(
      "select akashi_lifecycle.create_partitions('akashi_security.security_events', array[now(), now() + interval '1 day'])",
    ),
  )
  const stop = await watching(cluster, database, look)
  const begun = performance.now()
  let sent = 0
  for (let second = 0; second < seconds; second += 1) {
    await cluster.asAdministrator((session) => session.query(ordinary, [EVENTS_A_SECOND, second]))
    sent += EVENTS_A_SECOND
    if (second % ATTACK_EVERY_S === 0) {
      const address = `198.51.100.${second}`
      await cluster.asAdministrator((session) => session.query(failures, [FAILURES, address]))
      committed.set(address, performance.now())
      sent += FAILURES
    }
    await sleep(Math.max(0, begun + (second + 1) * 1000 - performance.now()))
  }
  const took = (performance.now() - begun) / 1000
  for (const end = performance.now() + LAST_MS; found.size < committed.size && performance.now() < end; )
    await sleep(100)
  await stop()
  return { latencies: { found: [...found.values()], attacks: committed.size }, sent, took }
}

const ordinary = `insert into akashi_security.security_events (created_at, event_type, event_category, severity, source_service, user_name, source_ip, result)
  select now() + i * interval '100 microseconds', (array['authentication_success', 'read', 'token_issued'])[1 + i % 3],
    'authentication', 'info', 'idp', 'user' || i, ('10.' || i % 200 || '.' || $2 % 250 || '.' || i / 200)::inet, 'success'
  from generate_series(1, $1::integer) i`

const failures = `insert into akashi_security.security_events (created_at, event_type, event_category, severity, source_service, user_name, source_ip, result)
  select now() + i * interval '1 millisecond', 'authentication_failure', 'authentication', 'low', 'idp', 'u' || i, $2::inet, 'failure'
  from generate_series(1, $1::integer) i`

/** Milliseconds to check the proof of a finding without a database. */
async function bundle(cluster: BenchCluster, admin: Database): Promise<Result[]> {
  const { rows } = await cluster.asAdministrator((session) =>
    session.query<{ id: string }>(
      `select id from akashi_security.detection_findings where rule_name = 'brute_force_by_address' limit 1`,
    ),
  )
  const [{ id } = { id: '' }] = rows
  for (const log of logs) await seal(cluster.worker, bencher, cluster.keyring, log)
  const made = await bundleFinding(admin, bencher, await configuredRules(admin, bencher), id)
  const text = JSON.stringify(made)
  const heads = await readLogHeads(admin, bencher)
  const keys = (await Promise.all(heads.map(({ origin }) => verifierKeys(cluster.keyring)(origin)))).flat()
  const times: number[] = []
  for (let n = 0; n < CHECKS; n += 1) {
    const begun = performance.now()
    checkFindingBundle(JSON.parse(text), (proof) => checkProof(proof, keys))
    times.push(performance.now() - begun)
  }
  return [
    atMost('check of the proof of a finding, median', median(times), 'ms', BUNDLE_LIMIT_MS),
    figure('size of the proof', text.length / 1024, 'KiB'),
  ]
}

/** The rate of the intake with sealing and detection beside it, relative to sealing alone. */
async function intake(
  cluster: BenchCluster,
  database: Database,
  rounds: number,
  scale: number,
): Promise<Result[]> {
  const lines = Math.max(2_000, Math.round(INTAKE_LINES * scale))
  let run = 0
  const take = async () => {
    run += 1
    const at = new Date(Date.now() - 3_600_000).toISOString()
    const bytes = (async function* () {
      for (let n = 0; n < lines; n += 1)
        yield Buffer.from(
          `${at} web${run} sshd[${n}]: Accepted publickey for p${n} from 10.${run}.${n >> 8}.${n & 255} port 1 ssh2\n`,
        )
    })()
    const begun = performance.now()
    const options = { format: 'sshd', timezone: 'UTC', year: null, asOf: new Date() } as const
    await loadEvents(database, bencher, parseEvents(bytes, options), { source: `run ${run}`, format: 'sshd' })
    return lines / ((performance.now() - begun) / 1000)
  }
  const ratios: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const sealing = repeat(SEAL_EVERY_MS, () => seal(database, bencher, cluster.keyring, securityEvents))
    const before = await take()
    await sealing()
    const stop = await watching(cluster, database, async () => undefined)
    const now = await take()
    await stop()
    ratios.push(now / before)
  }
  return [figure('intake with detection ÷ without', median(ratios), '')]
}
