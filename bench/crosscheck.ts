/**
 * What the comparison of the trail with the write-ahead log costs: how many changes one core compares, and by how much
 * audited writes of `akashi up` are slower while it runs, at half of the rate that the server reaches and at all of it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { checkTable, crosscheck as compare, crosscheckStatus } from '../src/audit/index.ts'
import { type Database, type Lsn, openDatabase, parseLsn } from '../src/postgres/index.ts'
import { startInstallation } from './audit/installation.ts'
import { hasPgbench, type Load, pgbench } from './audit/pgbench.ts'
import { COMMIT, insertInto, signedBegin } from './audit/transaction.ts'
import { type BenchCluster, benchCluster } from './cluster.ts'
import { cpuMilliseconds } from './cpu.ts'
import {
  atLeast,
  atMost,
  type Benchmark,
  type BenchmarkOptions,
  bencher,
  figure,
  format,
  interleave,
  median,
  type Result,
  ratio,
} from './harness.ts'

/** Transactions of a backlog, and the changes of each. */
const BACKLOGS = [
  ['of one row', 20_000, 1],
  ['of 100 rows', 400, 100],
] as const
const POLL_MS = 100
const CLIENTS = 32
const SECONDS_PER_TURN = 8
const SATURATED_SECONDS = 30
const LAG_POLL_MS = 500
const ignore = () => undefined

const table = (name: string) =>
  `create table ${name} (id bigint generated always as identity primary key, customer integer not null,
     amount numeric(12,2) not null, note text, created_at timestamptz not null default now());
   create index on ${name} (customer);
   grant insert on ${name} to akashi_app;
   select akashi_audit.protect('${name}');`

interface Rate {
  /** By the processor time of this process, and elapsed. */
  readonly core: number
  readonly elapsed: number
}

/** Changes that one core compares in a second: those of a backlog by the processor time of this process. */
async function perCore({ rounds, scale, progress }: BenchmarkOptions): Promise<readonly Result[]> {
  const cluster = await benchCluster()
  try {
    await cluster.asAdministrator((session) => session.query(table('bench_audited')))
    // Makes the slot.
    await compareBacklog(cluster, 0)
    const results: Result[] = []
    for (const [what, transactions, changes] of BACKLOGS) {
      const rates: Rate[] = []
      for (let round = 0; round < rounds; round += 1) {
        const count = Math.ceil(transactions * scale)
        await cluster.asAdministrator(async (session) => {
          await session.query('set synchronous_commit = off')
          await session.query(`do $$ begin for i in 1..${count} loop
            insert into public.bench_audited (customer, amount, note) select i, 12.50, 'two boxes of green tea' from generate_series(1, ${changes});
            commit; end loop; end $$`)
        })
        const rate = await compareBacklog(cluster, count * changes)
        rates.push(rate)
        progress(`round ${round + 1}/${rounds} ${what}: ${format(rate.core)} changes/s of one core`)
      }
      results.push(
        atLeast(
          `changes compared by one core, transactions ${what}`,
          median(rates.map(({ core }) => core)),
          'changes/s',
          5_000,
        ),
        figure(
          `changes compared, transactions ${what}`,
          median(rates.map(({ elapsed }) => elapsed)),
          'changes/s elapsed',
        ),
      )
    }
    return [...results, ...(await stateRate(cluster, { rounds, progress }))]
  } finally {
    await cluster.close()
  }
}

/** Rows of a table that are compared with the trail in a second, elapsed and by the processor time of both sides. */
async function stateRate(
  { connections, worker, asAdministrator }: BenchCluster,
  { rounds, progress }: Pick<BenchmarkOptions, 'rounds' | 'progress'>,
): Promise<readonly Result[]> {
  const owner = openDatabase({ url: connections.adminUrl, role: 'owner' })
  try {
    return await asAdministrator(async (session) => {
      await session.query('vacuum (analyze) public.bench_audited, akashi_audit.audit_logs')
      const rates: Rate[] = []
      let compared = 0
      for (let round = 0; round < rounds; round += 1) {
        const [cpuFrom, from] = [await cpuMilliseconds(session), performance.now()]
        const target = { schema: 'public', table: 'bench_audited' }
        const { rows, different, missing } = await checkTable(owner, worker, bencher, target)
        if (different + missing > 0) throw new Error('the table is not what the trail says')
        const elapsed = (performance.now() - from) / 1000
        const core = ((await cpuMilliseconds(session)) - cpuFrom) / 1000
        compared = rows
        rates.push({ core: rows / core, elapsed: rows / elapsed })
        progress(`round ${round + 1}/${rounds} rows of a table: ${format(rows / elapsed)} rows/s`)
      }
      const of = (field: keyof Rate) => median(rates.map((rate) => rate[field]))
      return [
        atLeast(
          `rows of a table of ${format(compared)} compared by verify --state`,
          of('elapsed'),
          'rows/s',
          50_000,
        ),
        figure('the same by the processor time of server and program', of('core'), 'rows/s of one core'),
      ]
    })
  } finally {
    await owner.close()
  }
}

async function compareBacklog(
  { worker, connections, keyring }: BenchCluster,
  changes: number,
): Promise<Rate> {
  const login = connections.open('backup')
  const before = await crosscheckStatus(worker, bencher)
  const end = await written(worker)
  const [cpuFrom, from] = [process.cpuUsage(), performance.now()]
  const stopping = new AbortController()
  const running = compare({
    source: { url: connections.directUrl('backup'), database: login },
    worker,
    keyring,
    actor: bencher,
    signal: stopping.signal,
    log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    checkState: async () => undefined,
  })
  const ended = running.then(() => Promise.reject(new Error('the cross-check ended by itself')))
  // It is stopped at the end.
  ended.catch(ignore)
  await Promise.race([ended, until(worker, ({ received }) => received !== null && parseLsn(received) >= end)])
  const elapsed = (performance.now() - from) / 1000
  const { user, system } = process.cpuUsage(cpuFrom)
  // They are counted a little later.
  let compared = 0
  while (compared < changes) {
    await sleep(POLL_MS)
    compared = (await crosscheckStatus(worker, bencher)).changes - before.changes
  }
  stopping.abort()
  await running
  await login.close()
  return { core: changes / ((user + system) / 1e6), elapsed: changes / elapsed }
}

interface Position {
  readonly active: boolean | null
  readonly received: string | null
  readonly now: string
}

async function position(worker: Database): Promise<Position> {
  const { rows } = await worker.transaction(
    bencher,
    (session) =>
      session.query<Position>(
        'select active, received::text, now::text from akashi_audit.crosscheck_position()',
      ),
    { readOnly: true },
  )
  return rows[0] ?? { active: null, received: null, now: '0/0' }
}

/** A position behind everything that is committed, as akashi verify waits for it. */
async function written(worker: Database): Promise<Lsn> {
  const { rows } = await worker.transaction(bencher, (session) =>
    session.query<{ position: string }>(
      "select pg_logical_emit_message(true, 'akashi', '')::text as position",
    ),
  )
  return parseLsn(rows[0]?.position ?? '0/0')
}

async function until(worker: Database, holds: (position: Position) => boolean): Promise<void> {
  while (!holds(await position(worker))) await sleep(POLL_MS)
}

function bytesBehind({ received, now }: Position): number {
  return received === null ? Number.NaN : Math.max(0, Number(parseLsn(now) - parseLsn(received)))
}

/** What an installation loses by it, and how far it falls behind. */
async function underLoad(options: BenchmarkOptions): Promise<readonly Result[]> {
  const installation = await startInstallation()
  const worker = openDatabase({ url: await installation.urlOf('worker'), role: 'worker', poolSize: 2 })
  try {
    await installation.asAdministrator((session) => session.query(table('bench_audited')))
    const statements = [
      ...(await signedBegin(installation.application)),
      insertInto('bench_audited', 7),
      COMMIT,
    ]
    const load = (options_: Partial<Load> = {}) =>
      pgbench(installation.appUrl, statements, { clients: CLIENTS, seconds: SECONDS_PER_TURN, ...options_ })
    const switched = async (on: boolean) => {
      await installation.asAdministrator((session) =>
        session.query("update akashi_lifecycle.settings set value = $1 where key = 'crosscheck.enabled'", [
          String(on),
        ]),
      )
      await until(worker, ({ active }) => active === (on ? true : null))
    }
    const turn = (on: boolean, rate?: number) => async () => {
      await switched(on)
      return await load(rate === undefined ? {} : { rate })
    }
    await load()
    const saturated = await interleave(
      {
        'saturated, compared': async () => (await turn(true)()).tps,
        'saturated, not compared': async () => (await turn(false)()).tps,
      },
      options,
    )
    const half = median(saturated['saturated, compared']) / 2
    const halved = await interleave(
      {
        'half, compared': async () => (await turn(true, half)()).milliseconds,
        'half, not compared': async () => (await turn(false, half)()).milliseconds,
      },
      options,
    )
    await switched(true)
    const lags: number[] = []
    const running = load({ seconds: SATURATED_SECONDS })
    const ended = running.then(() => true)
    while (!(await Promise.race([ended, sleep(LAG_POLL_MS, false)]))) {
      lags.push(bytesBehind(await position(worker)))
    }
    const rate = (await running).tps
    const from = performance.now()
    const target = await written(worker)
    await until(worker, ({ received }) => received !== null && parseLsn(received) >= target)
    const caughtUp = (performance.now() - from) / 1000
    return [
      atMost(
        `time of an audited transaction at half of the saturated rate (${format(half)} transactions/s), compared ÷ not`,
        ratio(halved['half, compared'], halved['half, not compared']),
        '×',
        1.05,
      ),
      figure(
        'saturated rate, compared ÷ not',
        ratio(saturated['saturated, compared'], saturated['saturated, not compared']),
        '×',
      ),
      figure(`${SATURATED_SECONDS} s of saturation`, rate, 'transactions/s'),
      figure('bytes behind meanwhile, at most', Math.max(...lags) / 2 ** 20, 'MiB'),
      figure('bytes behind in the first half of it, at most', Math.max(...firstHalf(lags)) / 2 ** 20, 'MiB'),
      figure('caught up after the load ended', caughtUp, 's'),
    ]
  } finally {
    await worker.close()
    await installation.close()
  }
}

function firstHalf(values: readonly number[]): readonly number[] {
  return values.slice(0, Math.ceil(values.length / 2))
}

export const crosscheck: Benchmark = {
  name: 'crosscheck',
  description: 'changes that one core compares with the trail, and what audited writes lose by it',
  async run(options) {
    const results = [...(await perCore(options))]
    if (await hasPgbench()) results.push(...(await underLoad(options)))
    else options.progress('pgbench is not installed: what writes lose is not measured')
    return results
  },
}
