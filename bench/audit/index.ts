/**
 * Cost of an audited and sealed write, against `akashi up` as a user runs it: single-row inserts by 32 clients into a
 * table with a primary key and one index, by pgbench where it is installed and by a lean client elsewhere. The
 * baselines are in schema.ts, what one row costs the server is in one-client.ts.
 */
import {
  atLeast,
  atMost,
  type Benchmark,
  type BenchmarkOptions,
  type Contenders,
  figure,
  interleave,
  median,
  type Result,
  ratio,
} from '../harness.ts'
import { LeanClient, message, type Statement } from '../lean-client.ts'
import { type Installation, startInstallation } from './installation.ts'
import { OneClient } from './one-client.ts'
import { hasPgbench, pgbench } from './pgbench.ts'
import { schema, type Table } from './schema.ts'
import { COMMIT, insertInto, plainBegin, signedBegin } from './transaction.ts'

const CLIENTS = 32
const SECONDS_PER_TURN = 4

/** Transactions per second of all clients in one turn. */
type Driver = (begin: readonly Statement[], table: Table) => Promise<number>

/** Every contender by one driver; their names begin with the driver's. */
function contenders(installation: Installation, name: string, drive: Driver): Contenders {
  const signed = (table: Table) => async () => drive(await signedBegin(installation.application), table)
  const bare = (table: Table) => () => drive(plainBegin, table)
  return {
    [`${name}: unaudited, context`]: signed('bench_plain'),
    [`${name}: audited, context`]: signed('bench_audited'),
    [`${name}: supa_audit, context`]: signed('bench_row_jsonb'),
    [`${name}: hash chain, context`]: signed('bench_chain'),
    [`${name}: unaudited`]: bare('bench_plain'),
    [`${name}: idle trigger`]: bare('bench_idle_trigger'),
    [`${name}: audited`]: bare('bench_audited'),
    [`${name}: audited, stopped`]: () => whileStopped(installation.pid, bare('bench_audited')),
  }
}

function results(name: string, figures: Readonly<Record<string, number[]>>): readonly Result[] {
  const of = (contender: string) => figures[`${name}: ${contender}`] ?? []
  const context = of('audited, context')
  return [
    atLeast(
      `${name}: audited ÷ unaudited, both with context`,
      ratio(context, of('unaudited, context')),
      '×',
      0.6,
    ),
    atLeast(
      `${name}: audited ÷ unaudited, both without context`,
      ratio(of('audited'), of('unaudited')),
      '×',
      0.6,
    ),
    atLeast(
      `${name}: audited ÷ supa_audit, both with context`,
      ratio(context, of('supa_audit, context')),
      '×',
      1.5,
    ),
    figure(`${name}: audited ÷ hash chain in a trigger`, ratio(context, of('hash chain, context')), '×'),
    figure(
      `${name}: a trigger that does nothing ÷ unaudited`,
      ratio(of('idle trigger'), of('unaudited')),
      '×',
    ),
    figure(
      `${name}: audited with sealer and WAL stream ÷ with both stopped`,
      ratio(of('audited'), of('audited, stopped')),
      '×',
    ),
    figure(`${name}: audited and sealed, with context`, median(context), 'transactions/s'),
  ]
}

/** With a client that sends the driver's messages, parsing each statement again. */
function leanDriver(clients: readonly LeanClient[]): Driver {
  return async (begin, table) => {
    const [begun, committed] = [message(...begin), message(COMMIT)]
    const from = performance.now()
    const end = from + SECONDS_PER_TURN * 1000
    let done = 0
    await Promise.all(
      clients.map(async (client, i) => {
        const inserted = message(insertInto(table, i))
        while (performance.now() < end) {
          await client.send(begun)
          await client.send(inserted)
          await client.send(committed)
          done += 1
        }
      }),
    )
    return (done * 1000) / (performance.now() - from)
  }
}

/** Nothing is sealed and no WAL is taken to the store meanwhile; both catch up afterwards. */
async function whileStopped<T>(pid: number, work: () => Promise<T>): Promise<T> {
  process.kill(pid, 'SIGSTOP')
  try {
    return await work()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

function oneClientResults(client: OneClient): readonly Result[] {
  const found: Result[] = []
  for (const context of [false, true]) {
    const suffix = context ? ', with context' : ''
    const plain = client.row('bench_plain', context)
    const audited = client.row('bench_audited', context)
    const others = [
      ['unaudited', plain],
      ['idle trigger', client.row('bench_idle_trigger', context)],
      ['audited', audited],
      ['supa_audit', client.row('bench_row_jsonb', context)],
    ] as const
    for (const [name, { first, further }] of others) {
      found.push(
        figure(`one client: ${name}: transaction with one insert${suffix}`, first.elapsed, 'µs'),
        figure(`one client: ${name}: the same, processor of the server`, first.cpu, 'µs'),
        figure(`one client: ${name}: each further insert${suffix}`, further.elapsed, 'µs'),
        figure(`one client: ${name}: the same, processor of the server`, further.cpu, 'µs'),
        figure(`one client: ${name}: WAL of a transaction with one insert`, first.wal, 'bytes'),
      )
    }
    const ratioOf = (over: number, under: number) => over / under
    found.push(
      atMost(
        `one client: audited ÷ unaudited transaction${suffix}`,
        ratioOf(audited.first.elapsed, plain.first.elapsed),
        '×',
        2,
      ),
      atMost(
        `one client: audited ÷ unaudited further insert${suffix}`,
        ratioOf(audited.further.elapsed, plain.further.elapsed),
        '×',
        2.5,
      ),
      atMost(
        `one client: WAL of an audited insert without full-page images${suffix}`,
        audited.further.wal,
        'bytes',
        900,
      ),
      figure(
        `one client: first use of the trigger in a transaction${suffix}`,
        audited.first.cpu - plain.first.cpu - (audited.further.cpu - plain.further.cpu),
        'µs of the processor',
      ),
    )
  }
  return found
}

export const audit: Benchmark = {
  name: 'audit',
  description: `single-row inserts, ${CLIENTS} clients, audited and sealed ÷ unaudited or audited otherwise`,
  async run(options: BenchmarkOptions) {
    const installation = await startInstallation()
    const lean: LeanClient[] = []
    try {
      await installation.asAdministrator((session) => session.query(schema))
      for (let i = 0; i < CLIENTS; i += 1) lean.push(await LeanClient.open(installation.appUrl))
      const drivers: [string, Driver][] = [['lean client', leanDriver(lean)]]
      if (await hasPgbench()) {
        const load = { clients: CLIENTS, seconds: SECONDS_PER_TURN }
        drivers.unshift([
          'pgbench',
          async (begin, table) =>
            (await pgbench(installation.appUrl, [...begin, insertInto(table, 7), COMMIT], load)).tps,
        ])
      } else {
        options.progress('pgbench is not installed: the lean client takes its part of the processor')
      }
      const all = drivers.map(([name, drive]) => contenders(installation, name, drive))
      const figures = await interleave(Object.assign({}, ...all) as Contenders, options)
      const one = await OneClient.open(installation)
      try {
        for (let round = 0; round < options.rounds; round += 1) {
          await one.measure()
          options.progress(`round ${round + 1}/${options.rounds} of one client`)
        }
        return [
          ...drivers.flatMap(([name]) => results(name, figures)),
          ...oneClientResults(one),
          ...(await one.parts()),
        ]
      } finally {
        one.close()
      }
    } finally {
      for (const client of lean) client.close()
      await installation.close()
    }
  },
}
