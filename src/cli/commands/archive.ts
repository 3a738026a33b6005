import type { Command } from 'commander'
import { AkashiError } from '../../foundation/index.ts'
import type { ArchiveRow } from '../../lifecycle/index.ts'
import type { Invocation, Perform, Register } from '../invocation.ts'

const ROW_COLUMNS = ['action', 'table', 'partition', 'rows', 'exported', 'dropped', 'message']

function timeOf(cli: Invocation, flag: 'asOf' | 'until'): Date | undefined {
  const value = cli.flags[flag]
  if (value === undefined) return undefined
  const time = new Date(String(value))
  if (!Number.isNaN(time.getTime())) return time
  throw new AkashiError('invalid_input', `${String(value)} is no time`, {
    hint: 'write it as 2026-12-31T00:00:00Z',
  })
}

function nameOf(value: string): { readonly schema: string; readonly table: string } {
  const [schema, table, more] = value.split('.')
  if (schema !== undefined && schema !== '' && table !== undefined && table !== '' && more === undefined) {
    return { schema, table }
  }
  throw new AkashiError('invalid_input', `${value} is no table with its schema`, {
    hint: 'write it as security.security_events',
  })
}

/** The table that --table names, as an option of the archive's verbs. */
function tableOf(cli: Invocation): { readonly table?: { readonly schema: string; readonly table: string } } {
  const { table } = cli.flags
  return typeof table === 'string' ? { table: nameOf(table) } : {}
}

function cells(row: ArchiveRow): readonly (string | number | null)[] {
  return [
    row.action,
    row.table,
    row.partition,
    row.rows,
    row.exported ? 'yes' : 'no',
    row.dropped ? 'yes' : 'no',
    // What was done is said by the columns before.
    row.action === 'exported' || row.action === 'dropped' ? null : row.message,
  ]
}

export const archive: Register = (program, perform) => {
  const group = program
    .command('archive')
    .description('partitions in the object store: exported when they close, dropped when their time is over')
  run(group, perform)
  status(group, perform)
  verify(group, perform)
  restore(group, perform)
  hold(group, perform)
}

function run(group: Command, perform: Perform): void {
  group
    .command('run')
    .description('export what closed and drop what expired, each only after it was compared')
    .option('--dry-run', 'show what would be done; changes nothing')
    .option('--as-of <time>', 'as if it were then')
    .option('--table <schema.table>', 'only this table')
    .action(() =>
      perform(async (cli) => {
        const { planArchive, runArchive } = await import('../../lifecycle/index.ts')
        const { openObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const asOf = timeOf(cli, 'asOf')
        const options = { ...tableOf(cli), ...(asOf === undefined ? {} : { asOf }), signal: cli.signal }
        const tables = await withConnections(cli, async ({ pool }) =>
          cli.flags['dryRun'] === true
            ? await planArchive(pool('worker'), options)
            : await runArchive(pool('worker'), await openObjects(await cli.config()), options),
        )
        cli.print({ tables }, tables.length === 0 ? 'nothing is due' : table(ROW_COLUMNS, tables.map(cells)))
        return tables.some(({ action }) => action === 'failed') ? 1 : 0
      }),
    )
}

function status(group: Command, perform: Perform): void {
  group
    .command('status')
    .description('list what was archived and where it stands')
    .option('--table <schema.table>', 'only this table')
    .action(() =>
      perform(async (cli) => {
        const { archiveStatus } = await import('../../lifecycle/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const exports = await withConnections(cli, ({ pool }) =>
          archiveStatus(pool('worker'), { ...tableOf(cli), signal: cli.signal }),
        )
        const rows = exports.map((each) => [
          each.state,
          `${each.schema}.${each.table}`,
          each.partition,
          each.generation,
          each.rows,
          each.bytes,
          each.message,
        ])
        const columns = ['state', 'table', 'partition', 'generation', 'rows', 'bytes', '']
        cli.print({ exports }, rows.length === 0 ? 'nothing was archived yet' : table(columns, rows))
        return 0
      }),
    )
}

function verify(group: Command, perform: Perform): void {
  group
    .command('verify')
    .description('read every archived object back and compare it with its manifest; exits 1 when one differs')
    .option('--table <schema.table>', 'only this table')
    .action(() =>
      perform(async (cli) => {
        const { verifyArchive } = await import('../../lifecycle/index.ts')
        const { openObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const store = await openObjects(await cli.config())
        const exports = await withConnections(cli, ({ pool }) =>
          verifyArchive(pool('worker'), store, { ...tableOf(cli), signal: cli.signal }),
        )
        const rows = exports.map((each) => [
          each.ok ? 'ok' : 'BAD',
          each.table,
          each.partition,
          each.generation,
          each.rows,
          each.message,
        ])
        const ok = exports.every((each) => each.ok)
        const columns = ['', 'table', 'partition', 'generation', 'rows', '']
        cli.print({ ok, exports }, rows.length === 0 ? 'nothing was archived yet' : table(columns, rows))
        return ok ? 0 : 1
      }),
    )
}

function restore(group: Command, perform: Perform): void {
  group
    .command('restore')
    .argument('<table>', 'schema.table')
    .argument('<partition>', 'name of the partition, as archive status lists it')
    .description('attach an archived partition again, with the rows it had; takes an administrator')
    .option('--until <time>', 'when it may leave again (default: 30 days from now)')
    .action((name: string, partition: string) =>
      perform(async (cli) => {
        const { restorePartition } = await import('../../lifecycle/index.ts')
        const { openObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const store = await openObjects(await cli.config())
        const keepUntil = timeOf(cli, 'until')
        const restored = await withConnections(cli, ({ pool }) =>
          restorePartition(pool('owner'), store, {
            ...nameOf(name),
            partition,
            signal: cli.signal,
            ...(keepUntil === undefined ? {} : { keepUntil }),
          }),
        )
        cli.print(
          restored,
          `${restored.partition} is back in ${restored.table} with ${restored.rows} rows, equal to those exported, until ${restored.keepUntil}`,
        )
        return 0
      }),
    )
}

function hold(group: Command, perform: Perform): void {
  group
    .command('hold')
    .argument('<table>', 'schema.table')
    .description('put a table under legal hold: nothing of it is dropped or deleted while it lasts')
    .option('--release', 'end the hold')
    .option('--reason <text>', 'kept in the trail')
    .action((name: string) =>
      perform(async (cli) => {
        const { holdTable } = await import('../../lifecycle/index.ts')
        const { withConnections } = await import('../databases.ts')
        const held = cli.flags['release'] !== true
        const { reason } = cli.flags
        await withConnections(cli, ({ pool }) =>
          holdTable(pool('worker'), {
            ...nameOf(name),
            held,
            ...(typeof reason === 'string' ? { reason } : {}),
          }),
        )
        cli.print({ table: name, held }, held ? `${name} is under legal hold` : `${name} is no longer held`)
        return 0
      }),
    )
}
