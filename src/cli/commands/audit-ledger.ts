import type { Command } from 'commander'
import type { Actor, Database } from '../../postgres/index.ts'
import type { Invocation, Register } from '../invocation.ts'
import { limitOf, moreOf } from './pages.ts'

interface Page {
  readonly rows: readonly object[]
  readonly next: string | null
}

type List = (
  database: Database,
  actor: Actor,
  query: { log: string; cursor?: string; limit?: number },
) => Promise<Page>

/** Subcommand, its description, and the columns of the text output. */
const lists: readonly (readonly [verb: string, meaning: string, columns: readonly string[], list: List])[] = [
  [
    'epochs',
    'list the epochs of a log, except the first',
    ['epoch', 'openedAt', 'cause', 'size', 'commonSize', 'reason'],
    async (database, actor, query) =>
      (await import('../../audit/index.ts')).listEpochs(database, actor, query),
  ],
  [
    'cosignatures',
    'list the cosignatures of witnesses',
    ['epoch', 'size', 'witness', 'cosignedAt'],
    async (database, actor, query) =>
      (await import('../../audit/index.ts')).listCosignatures(database, actor, query),
  ],
  [
    'retention',
    'list the signed records of rows removed by retention',
    ['partition', 'from', 'to', 'rows', 'firstPosition', 'lastPosition', 'policy'],
    async (database, actor, query) =>
      (await import('../../audit/index.ts')).listRetentionRecords(database, actor, query),
  ],
  [
    'chain',
    'list entries, each with the hash of the previous one',
    ['position', 'recordedAt', 'id', 'hash', 'previousHash'],
    async (database, actor, query) =>
      (await import('../../audit/index.ts')).listChain(database, actor, query),
  ],
]

/** Subcommands that list what a log has besides its rows. */
export function ledgerLists(group: Command, perform: Parameters<Register>[1]): void {
  for (const [verb, meaning, columns, list] of lists) {
    group
      .command(verb)
      .description(meaning)
      .option('--log <log>', 'audit_logs, security_events or login_attempts', 'audit_logs')
      .option('--limit <n>', 'rows per page')
      .option('--cursor <cursor>', 'next page; the cursor is printed with the page before')
      .action(() => perform((cli) => show(cli, columns, list)))
  }
}

async function show(cli: Invocation, columns: readonly string[], list: List): Promise<0> {
  const { withConnections } = await import('../databases.ts')
  const { table } = await import('../output/table.ts')
  const { log, cursor } = cli.flags
  const query = { log: String(log), ...limitOf(cli), ...(typeof cursor === 'string' ? { cursor } : {}) }
  const page = await withConnections(cli, ({ pool, actor }) => list(pool('security_admin'), actor, query))
  const rows = page.rows.map((row) => {
    const values = new Map(Object.entries(row))
    return columns.map((column) => String(values.get(column) ?? ''))
  })
  cli.print(page, (rows.length === 0 ? 'none' : table(columns, rows)) + moreOf(page.next))
  return 0
}
