/** Rate of the sealer for a backlog, and its lag under load. */
import { setTimeout as sleep } from 'node:timers/promises'
import { auditLogs, seal as sealLog } from '../src/audit/index.ts'
import { benchCluster } from './cluster.ts'
import { atLeast, atMost, type Benchmark, bencher, median } from './harness.ts'

const BACKLOG_ROWS = 100_000
const LOAD_SECONDS = 15
const WRITERS = 8
const SEAL_EVERY_MS = 250

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const seal: Benchmark = {
  name: 'seal',
  description: 'rows sealed per second from a backlog; age of the oldest unsealed row under load',
  async run({ rounds, scale, progress }) {
    const cluster = await benchCluster()
    try {
      await cluster.asAdministrator((session) =>
        session.query(`create table bench_seal (id bigint generated always as identity primary key, note text);
          grant insert on bench_seal to akashi_app; select akashi_audit.protect('bench_seal')`),
      )
      await sealLog(cluster.worker, bencher, cluster.keyring, auditLogs)
      const rates: number[] = []
      const backlog = Math.round(BACKLOG_ROWS * scale)
      for (let round = 0; round < rounds; round += 1) {
        await cluster.asAdministrator((session) =>
          session.query(
            `insert into bench_seal (note) select 'two boxes of green tea' from generate_series(1, $1::integer)`,
            [backlog],
          ),
        )
        const begun = performance.now()
        const { rows } = await sealLog(cluster.worker, bencher, cluster.keyring, auditLogs)
        rates.push((rows * 1000) / (performance.now() - begun))
        progress(`round ${round + 1}/${rounds}: ${Math.round(rates.at(-1) ?? 0)} rows/s`)
      }
      const lags = await lagUnderLoad()
      return [
        atLeast('rows sealed per second', median(rates), 'rows/s', 50_000),
        atMost('age of a row when it is sealed, p99 under load', percentile(lags, 0.99) / 1000, 's', 1),
      ]
    } finally {
      await cluster.close()
    }

    async function lagUnderLoad(): Promise<number[]> {
      const application = cluster.application(WRITERS)
      const lags: number[] = []
      let running = true
      const sealing = (async () => {
        while (running) {
          const { rows: sealed, size } = await sealLog(cluster.worker, bencher, cluster.keyring, auditLogs)
          const { rows } = await cluster.worker.transaction(bencher, (session) =>
            session.query<{ lag: number }>(
              `select (extract(epoch from (h.sealed_at - e.created_at)) * 1000)::float8 as lag
               from akashi_audit.ledger_heads h join akashi_audit.ledger_entries e on e.log = h.log and e.position >= $1
               where h.log = 'audit_logs'`,
              [(size - BigInt(sealed)).toString()],
            ),
          )
          lags.push(...rows.map((row) => row.lag))
          await sleep(SEAL_EVERY_MS)
        }
      })()
      const end = performance.now() + LOAD_SECONDS * 1000
      await Promise.all(
        Array.from({ length: WRITERS }, async () => {
          while (performance.now() < end) {
            await application.transaction(bencher, (session) =>
              session.query("insert into public.bench_seal (note) values ('x')"),
            )
          }
        }),
      )
      running = false
      await sealing
      return lags
    }
  },
}
