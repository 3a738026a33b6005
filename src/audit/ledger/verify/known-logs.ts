import type { Session } from '../../../postgres/index.ts'
import { logs } from '../logs.ts'
import type { ProblemList } from './problems.ts'

/** Tables of the ledger whose key begins with the log. */
const TABLES = [
  'ledger_heads',
  'ledger_entries',
  'ledger_tiles',
  'ledger_checkpoints',
  'ledger_cosignatures',
  'ledger_epochs',
  'retention_records',
] as const

/** Reports rows of unknown logs, which would be served and published like those of any other log. */
export async function verifyLogs(session: Session, problems: ProblemList): Promise<void> {
  for (const table of TABLES) {
    // A loose index scan: a table of millions of entries has three names.
    const { rows } = await session.query<{ log: string }>(
      `with recursive named as (
         (select log from akashi_audit.${table} order by log limit 1)
         union all
         select (select t.log from akashi_audit.${table} t where t.log > named.log order by t.log limit 1) from named where named.log is not null
       )
       select log from named where log is not null and log <> all ($1::text[])`,
      [logs.map(({ log }) => log)],
    )
    for (const { log } of rows)
      problems.add(
        'checkpoint',
        null,
        `akashi_audit.${table}`,
        `akashi_audit.${table} has rows of a log that does not exist: ${log}`,
      )
  }
}
