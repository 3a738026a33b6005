/** Rate of a full verification: rows hashed and compared inside the server, including tree and signatures. */
import {
  auditLogs,
  OPTIMIZER_FENCE,
  postgresEntrySql,
  seal,
  verifierKeys,
  verify as verifyLedger,
} from '../src/audit/index.ts'
import { benchCluster } from './cluster.ts'
import { atLeast, type Benchmark, bencher, figure, interleave, median, ratio } from './harness.ts'

const ROWS = 300_000

export const verify: Benchmark = {
  name: 'verify',
  description: 'rows per second of a full verification, hashed in PostgreSQL',
  async run(options) {
    const cluster = await benchCluster()
    const count = Math.round(ROWS * options.scale)
    try {
      await cluster.asAdministrator((session) =>
        session.query(`create table bench_verify (id bigint generated always as identity primary key, customer integer, amount numeric(12,2), note text);
          select akashi_audit.protect('bench_verify');
          insert into bench_verify (customer, amount, note) select i, 12.5, 'two boxes of green tea' from generate_series(1, ${count}) i`),
      )
      await seal(cluster.worker, bencher, cluster.keyring, auditLogs)
      await cluster.asAdministrator((session) => session.query('vacuum analyze akashi_audit.audit_logs'))
      await cluster.asAdministrator((session) => session.query('vacuum analyze akashi_audit.ledger_entries'))
      const entry = postgresEntrySql(auditLogs, { arrays: 'short' })
      const figures = await interleave(
        {
          verify: async () => {
            const begun = performance.now()
            const report = await verifyLedger(cluster.worker, bencher, {
              verifierKeys: verifierKeys(cluster.keyring),
            })
            if (!report.ok)
              throw new Error(`the ledger of the benchmark does not verify: ${JSON.stringify(report.logs)}`)
            const checked = report.logs.reduce((sum, log) => sum + log.checked, 0)
            return (checked * 1000) / (performance.now() - begun)
          },
          'hash only': async () => {
            const begun = performance.now()
            await cluster.worker.transaction(
              bencher,
              (session) =>
                session.query(
                  `select count(${entry.hash}) from (select ${entry.texts} from akashi_audit.audit_logs r ${OPTIMIZER_FENCE}) t`,
                ),
              { timeoutMs: 600_000 },
            )
            return (count * 1000) / (performance.now() - begun)
          },
        },
        options,
      )
      return [
        atLeast('rows verified per second, hashed in PostgreSQL', median(figures.verify), 'rows/s', 150_000),
        figure(
          'full verification ÷ only hashing the same rows',
          ratio(figures.verify, figures['hash only']),
          '×',
        ),
      ]
    } finally {
      await cluster.close()
    }
  },
}
