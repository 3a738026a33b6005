/** Overhead of audit for a statement that changes 20,000 rows: time of the audited ÷ the unaudited UPDATE. */
import { benchCluster } from './cluster.ts'
import { atMost, type Benchmark, interleave, ratio } from './harness.ts'

const ROWS = 20_000

export const auditBulk: Benchmark = {
  name: 'audit-bulk',
  description: `UPDATE of ${ROWS.toLocaleString('en')} rows, audited ÷ unaudited time`,
  async run(options) {
    const cluster = await benchCluster()
    try {
      const setup = (table: string) => `
        create table ${table} (id bigint generated always as identity primary key, customer integer not null,
          amount numeric(12,2) not null, note text, created_at timestamptz not null default now());
        create index on ${table} (customer);
        insert into ${table} (customer, amount, note) select i, 1, 'two boxes of green tea' from generate_series(1, ${ROWS}) i;`
      await cluster.asAdministrator((session) =>
        session.query(
          `${setup('bulk_plain')} ${setup('bulk_audited')} select akashi_audit.protect('bulk_audited')`,
        ),
      )
      const update = (table: string) => async () => {
        await cluster.asAdministrator(async (session) => {
          await session.query(`vacuum ${table}`)
          await session.query('checkpoint')
        })
        const begun = performance.now()
        await cluster.asAdministrator((session) => session.query(`update ${table} set amount = amount + 1`))
        return performance.now() - begun
      }
      const figures = await interleave(
        { unaudited: update('bulk_plain'), audited: update('bulk_audited') },
        options,
      )
      return [atMost('audited ÷ unaudited', ratio(figures.audited, figures.unaudited), '×', 3.5)]
    } finally {
      await cluster.close()
    }
  },
}
