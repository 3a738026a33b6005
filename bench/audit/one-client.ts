/**
 * What one audited row costs the server, by one client without waiting for the disk. Time is that of the processor in
 * the client's own server process, and WAL what that process wrote: neither depends on what else the machine does.
 */
import { readFile } from 'node:fs/promises'
import type { Session } from '../../src/postgres/index.ts'
import { figure, median, type Result } from '../harness.ts'
import { execution, LeanClient, message, preparation, type Statement } from '../lean-client.ts'
import type { Installation } from './installation.ts'
import type { Table } from './schema.ts'
import { COMMIT, insertInto, plainBegin, signedBegin } from './transaction.ts'

const TRANSACTIONS = 400
/** Inserts of the longer transaction, whose further ones are what it costs above the short one. */
const INSERTS = 11
/** Rows that are copied from the trail to see what its indexes cost. */
const TRAIL_ROWS = 5_000

interface Cost {
  /** Microseconds of the server's process, and elapsed. */
  readonly cpu: number
  readonly elapsed: number
  /** Bytes, full-page images included. */
  readonly wal: number
  readonly fullPages: number
}

const none: Cost = { cpu: 0, elapsed: 0, wal: 0, fullPages: 0 }

export interface OneClientRow {
  readonly first: Cost
  readonly further: Cost
}

const measured: readonly Table[] = ['bench_plain', 'bench_idle_trigger', 'bench_audited', 'bench_row_jsonb']

export class OneClient {
  readonly #installation: Installation
  readonly #client: LeanClient
  readonly #costs = new Map<string, { one: Cost[]; many: Cost[] }>()

  private constructor(installation: Installation, client: LeanClient) {
    this.#installation = installation
    this.#client = client
  }

  static async open(installation: Installation): Promise<OneClient> {
    const client = await LeanClient.open(installation.appUrl)
    await client.send(message({ text: 'set synchronous_commit = off' }))
    return new OneClient(installation, client)
  }

  close(): void {
    this.#client.close()
  }

  /** One round of every table, without and with context. */
  async measure(): Promise<void> {
    for (const context of [false, true]) {
      for (const table of measured) {
        const key = name(table, context)
        const costs = this.#costs.get(key) ?? { one: [], many: [] }
        this.#costs.set(key, costs)
        costs.one.push(await this.#run(table, context, 1, TRANSACTIONS))
        costs.many.push(await this.#run(table, context, INSERTS, Math.ceil(TRANSACTIONS / 5)))
      }
    }
  }

  /** Medians of the rounds so far. */
  row(table: Table, context: boolean): OneClientRow {
    const { one, many } = this.#costs.get(name(table, context)) ?? { one: [], many: [] }
    const of = (costs: readonly Cost[], field: keyof Cost) => median(costs.map((cost) => cost[field]))
    const each = (value: (field: keyof Cost) => number): Cost => ({
      cpu: value('cpu'),
      elapsed: value('elapsed'),
      wal: value('wal'),
      fullPages: value('fullPages'),
    })
    return {
      first: each((field) => of(one, field)),
      further: each((field) => (of(many, field) - of(one, field)) / (INSERTS - 1)),
    }
  }

  /** What the indexes of the trail cost a row, and what the first rows after a checkpoint cost more. */
  async parts(): Promise<readonly Result[]> {
    return await this.#installation.asAdministrator(async (session) => {
      const copy = async (table: string) => {
        const { rows } = await session.query<{ pid: number }>('select pg_backend_pid() as pid')
        return await cost(session, rows[0]?.pid ?? 0, session, async () => {
          await session.query(
            `insert into public.${table} select * from akashi_audit.audit_logs where table_name = 'bench_audited' limit $1`,
            [TRAIL_ROWS],
          )
        })
      }
      await session.query('set synchronous_commit = off')
      const bare = await copy('bench_trail')
      const indexed = await copy('bench_trail_indexed')
      await session.query('checkpoint')
      const after = await this.#run('bench_audited', true, 1, TRANSACTIONS)
      const { first } = this.row('bench_audited', true)
      return [
        figure('three indexes of the trail', (indexed.cpu - bare.cpu) / TRAIL_ROWS, 'µs a row'),
        figure('three indexes of the trail', (indexed.wal - bare.wal) / TRAIL_ROWS, 'bytes of WAL a row'),
        figure('the row itself', bare.wal / TRAIL_ROWS, 'bytes of WAL a row'),
        figure(
          `full-page images in the first ${TRANSACTIONS} transactions after a checkpoint`,
          after.wal - first.wal,
          'bytes of WAL a transaction',
        ),
      ]
    })
  }

  async #run(table: Table, context: boolean, inserts: number, transactions: number): Promise<Cost> {
    const begin = context ? await signedBegin(this.#installation.application) : plainBegin
    const insert = insertInto(table, 7)
    const named = new Map<Statement, string>()
    for (const statement of [...begin, insert, COMMIT]) {
      // A new name each time: the text of a context's statement is the same and its values are not.
      const statementName = `s${this.#prepared}`
      this.#prepared += 1
      named.set(statement, statementName)
      await this.#client.send(preparation(statementName, statement))
    }
    const messageOf = (...statements: readonly Statement[]) =>
      execution(...statements.map((statement) => [named.get(statement) ?? '', statement] as const))
    const [begun, inserted, committed] = [messageOf(...begin), messageOf(insert), messageOf(COMMIT)]
    const repeat = async (count: number) => {
      for (let i = 0; i < count; i += 1) {
        await this.#client.send(begun)
        for (let j = 0; j < inserts; j += 1) await this.#client.send(inserted)
        await this.#client.send(committed)
      }
    }
    await repeat(10)
    const total = await this.#installation.asAdministrator((session) =>
      cost(session, this.#client.pid, this.#client, () => repeat(transactions)),
    )
    await this.#client.send(message({ text: 'deallocate all' }))
    return {
      cpu: total.cpu / transactions,
      elapsed: total.elapsed / transactions,
      wal: total.wal / transactions,
      fullPages: total.fullPages / transactions,
    }
  }

  #prepared = 0
}

function name(table: Table, context: boolean): string {
  return `${table} ${context}`
}

/** What a process of the server did during `work`. */
async function cost(
  session: Session,
  pid: number,
  own: Session | LeanClient,
  work: () => Promise<void>,
): Promise<Cost> {
  const read = async (): Promise<Cost> => {
    const flush = 'select pg_stat_force_next_flush()'
    await (own instanceof LeanClient ? own.send(message({ text: flush })) : own.query(flush))
    const { rows } = await session.query<{ bytes: number; images: number }>(
      'select wal_bytes::float8 as bytes, wal_fpi::float8 as images from pg_stat_get_backend_wal($1)',
      [pid],
    )
    const [{ bytes: wal, images: fullPages } = { bytes: 0, images: 0 }] = rows
    const [nanoseconds = '0'] = (await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ')
    return { cpu: Number(nanoseconds) / 1000, elapsed: performance.now() * 1000, wal, fullPages }
  }
  const before = await read()
  await work()
  const after = await read()
  return {
    ...none,
    cpu: after.cpu - before.cpu,
    elapsed: after.elapsed - before.elapsed,
    wal: after.wal - before.wal,
    fullPages: after.fullPages - before.fullPages,
  }
}
