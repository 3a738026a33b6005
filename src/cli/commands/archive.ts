import type { RetentionPolicy } from '@akashi/contract'
import type { Command } from 'commander'
import { AkashiError, counted, given, parseTableName, type TableName } from '../../foundation/index.ts'
import type { ArchiveRow, PolicyChanges } from '../../lifecycle/index.ts'
import type { Invocation, Perform, Register } from '../invocation.ts'
import { copies, copyPolicy, tenants } from './archive-copies.ts'

const ROW_COLUMNS = ['action', 'table', 'partition', 'rows', 'exported', 'dropped', 'message']

function timeOf(cli: Invocation, flag: 'asOf' | 'until' | 'from' | 'to'): Date | undefined {
  const value = cli.flags[flag]
  if (value === undefined) return undefined
  const time = new Date(String(value))
  if (!Number.isNaN(time.getTime())) return time
  throw new AkashiError('invalid_input', `${String(value)} is not a valid time`, {
    hint: 'write it as 2026-12-31T00:00:00Z',
  })
}

/** The table that --table names, as an option of the archive's verbs. */
function tableOf(cli: Invocation): { readonly table?: TableName } {
  const { table } = cli.flags
  return typeof table === 'string' ? { table: parseTableName(table) } : {}
}

function cells(row: ArchiveRow): readonly (string | number | null)[] {
  return [
    row.action,
    row.table,
    row.partition,
    row.rows,
    row.exported ? 'yes' : 'no',
    row.dropped ? 'yes' : 'no',
    // The columns before it show what was done.
    row.action === 'exported' || row.action === 'dropped' ? null : row.message,
  ]
}

export const archive: Register = (program, perform) => {
  const group = program
    .command('archive')
    .description('partitions in the object store: exported when they close, dropped when they expire')
  run(group, perform)
  status(group, perform)
  verify(group, perform)
  restore(group, perform)
  hold(group, perform)
  policy(group, perform)
  copies(group, perform)
  tenants(group, perform)
  retire(group, perform)
  thaw(group, perform)
}

function run(group: Command, perform: Perform): void {
  group
    .command('run')
    .description('export closed partitions and drop expired ones, each after comparing it')
    .option('--dry-run', 'show what would be done; changes nothing')
    .option('--as-of <time>', 'act as if it were this time')
    .option('--table <schema.table>', 'only this table')
    .option('--again', 'with --table: export what is still in PostgreSQL again, in place of its exports')
    .action(() =>
      perform(async (cli) => {
        const { planArchive, runArchive } = await import('../../lifecycle/index.ts')
        const { openOwnedObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const asOf = timeOf(cli, 'asOf')
        const options = {
          ...tableOf(cli),
          ...given({ asOf }),
          again: cli.flags['again'] === true,
          signal: cli.signal,
        }
        const tables: readonly ArchiveRow[] = await withConnections(cli, async ({ pool, actor }) => {
          const worker = pool('worker')
          if (cli.flags['dryRun'] === true) return await planArchive(worker, actor, options)
          const { store, ownership } = await openOwnedObjects(await cli.config(), worker, actor)
          await ownership.assertOwned()
          return await runArchive(worker, actor, store, options)
        })
        cli.print({ tables }, tables.length === 0 ? 'nothing is due' : table(ROW_COLUMNS, tables.map(cells)))
        return tables.some(({ action }) => action === 'failed') ? 1 : 0
      }),
    )
}

function status(group: Command, perform: Perform): void {
  group
    .command('status')
    .description('list archived partitions with their state')
    .option('--table <schema.table>', 'only this table')
    .action(() =>
      perform(async (cli) => {
        const { archiveStatus } = await import('../../lifecycle/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const exports = await withConnections(cli, ({ pool, actor }) =>
          archiveStatus(pool('worker'), actor, { ...tableOf(cli), signal: cli.signal }),
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
        const columns = ['state', 'table', 'partition', 'generation', 'rows', 'bytes', 'message']
        cli.print({ exports }, rows.length === 0 ? 'nothing is archived yet' : table(columns, rows))
        return 0
      }),
    )
}

function verify(group: Command, perform: Perform): void {
  group
    .command('verify')
    .description('compare every archived object with its manifest; exits 1 if one differs')
    .option('--table <schema.table>', 'only this table')
    .action(() =>
      perform(async (cli) => {
        const { verifyArchive } = await import('../../lifecycle/index.ts')
        const { openObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const store = await openObjects(await cli.config())
        const exports = await withConnections(cli, ({ pool, actor }) =>
          verifyArchive(pool('worker'), actor, store, { ...tableOf(cli), signal: cli.signal }),
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
        const columns = ['', 'table', 'partition', 'generation', 'rows', 'message']
        cli.print({ ok, exports }, rows.length === 0 ? 'nothing is archived yet' : table(columns, rows))
        return ok ? 0 : 1
      }),
    )
}

function restore(group: Command, perform: Perform): void {
  group
    .command('restore')
    .argument('<table>', 'schema.table')
    .argument('<partition>', 'name of the partition, as archive status lists it')
    .description('restore an archived partition and attach it to its table; requires an administrator')
    .option('--until <time>', 'when it may be dropped again (default: 30 days from now)')
    .action((name: string, partition: string) =>
      perform(async (cli) => {
        const { restorePartition } = await import('../../lifecycle/index.ts')
        const { openObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const store = await openObjects(await cli.config())
        const keepUntil = timeOf(cli, 'until')
        const restored = await withConnections(cli, ({ pool, actor }) =>
          restorePartition(pool('owner'), actor, store, {
            ...parseTableName(name),
            partition,
            signal: cli.signal,
            ...given({ keepUntil }),
          }),
        )
        cli.print(
          restored,
          `restored ${restored.partition} of ${restored.table}: ${counted(restored.rows, 'row')}, identical to the export, kept until ${restored.keepUntil}`,
        )
        return 0
      }),
    )
}

function hold(group: Command, perform: Perform): void {
  group
    .command('hold')
    .argument('<table>', 'schema.table')
    .description('put a table under legal hold, during which none of its data is dropped or deleted')
    .option('--release', 'end the hold')
    .requiredOption('--reason <text>', 'recorded in the audit trail')
    .action((name: string) =>
      perform(async (cli) => {
        const { holdTable } = await import('../../lifecycle/index.ts')
        const { withConnections } = await import('../databases.ts')
        const held = cli.flags['release'] !== true
        const reason = String(cli.flags['reason'])
        await withConnections(cli, ({ pool, actor }) =>
          holdTable(pool('worker'), actor, { ...parseTableName(name), held, reason }),
        )
        cli.print(
          { table: name, held },
          held ? `${name} is under legal hold` : `${name} is no longer under legal hold`,
        )
        return 0
      }),
    )
}

function policy(group: Command, perform: Perform): void {
  const verbs = group
    .command('policy')
    .description('how tables are partitioned and how long their rows are kept')
  verbs
    .command('list', { isDefault: true })
    .description('list every policy')
    .action(() =>
      perform(async (cli) => {
        const { listCopyPolicies, listPolicies } = await import('../../lifecycle/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const { policies, copied } = await withConnections(cli, async ({ pool, actor }) => ({
          policies: await listPolicies(pool('worker'), actor),
          copied: await listCopyPolicies(pool('worker'), actor),
        }))
        const rows = policies.map((each) => [
          each.table,
          each.interval,
          each.ahead,
          each.hot,
          each.atExpiry,
          each.total,
          each.lateness,
          each.format,
          each.legalHold ? 'held' : '',
        ])
        const columns = ['table', 'interval', 'ahead', 'hot', 'then', 'total', 'lateness', 'format', '']
        const copyRows = copied
          .filter(({ endedAt }) => endedAt === null)
          .map((each) => [each.table, each.tenant, each.class, each.destination, each.total])
        const copyColumns = ['copied from', 'tenant', 'class', 'to', 'kept for']
        const lists = [
          table(columns, rows),
          ...(copyRows.length === 0 ? [] : ['', table(copyColumns, copyRows)]),
        ]
        cli.print({ policies, copies: copied }, lists.join('\n'))
        return 0
      }),
    )
  copyPolicy(verbs, perform)
  verbs
    .command('set')
    .argument('<table>', 'schema.table')
    .description('change the given options; a new policy needs --interval, --hot, --then and --total')
    .option('--hot <time>', 'how long rows stay in PostgreSQL, such as "90 days"')
    .option('--total <time>', 'how long rows are kept in total before they are deleted, such as "2555 days"')
    .option(
      '--then <action>',
      'what happens after the hot retention: archive, retire (delete with a signed record) or keep',
    )
    .option('--ahead <n>', 'partitions created ahead: at least 8 for days, 2 for months')
    .option('--lateness <time>', 'wait after the end of a partition before its export, such as "7 days"')
    .option('--format <format>', 'parquet or parquet+csv')
    .option('--interval <interval>', 'day or month; only for a new policy')
    .option('--reason <text>', 'recorded in the audit trail')
    .action((name: string) =>
      perform(async (cli) => {
        const { setPolicy } = await import('../../lifecycle/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { reason } = cli.flags
        const changed = await withConnections(cli, ({ pool, actor }) =>
          setPolicy(
            pool('worker'),
            actor,
            parseTableName(name),
            changesOf(cli),
            typeof reason === 'string' ? reason : undefined,
          ),
        )
        cli.print(
          changed,
          [
            `${changed.table}: ${changed.hot} in PostgreSQL, then ${changed.atExpiry}, ${changed.total} in all`,
            ...describeWaiting(changed),
          ].join('\n'),
        )
        return 0
      }),
    )
}

function describeWaiting({ shortening }: RetentionPolicy): string[] {
  if (shortening === null) return []
  const { atExpiry, total, effectiveAt } = shortening
  return [`from ${effectiveAt} on: then ${atExpiry}, ${total} in all; setting the policy again withdraws it`]
}

function changesOf(cli: Invocation): PolicyChanges {
  const { ahead } = cli.flags
  const text = (flag: string): string | undefined => {
    const value = cli.flags[flag]
    return value === undefined ? undefined : String(value)
  }
  const one = <T extends string>(flag: string, choices: readonly T[]): T | undefined => {
    const value = text(flag)
    const found = choices.find((choice) => choice === value)
    if (found !== undefined || value === undefined) return found
    throw new AkashiError('invalid_input', `${value} is not a valid --${flag}`, {
      hint: `one of ${choices.join(', ')}`,
    })
  }
  if (ahead !== undefined && !/^\d{1,4}$/.test(String(ahead))) {
    throw new AkashiError('invalid_input', `${String(ahead)} is not a valid --ahead`, {
      hint: 'give a number of partitions',
    })
  }
  return {
    interval: one('interval', ['day', 'month']),
    ahead: ahead === undefined ? undefined : Number(ahead),
    hot: text('hot'),
    atExpiry: one('then', ['archive', 'retire', 'keep']),
    total: text('total'),
    lateness: text('lateness'),
    format: one('format', ['parquet', 'parquet+csv']),
  }
}

function retire(group: Command, perform: Perform): void {
  group
    .command('retire')
    .description('delete data past its total retention, each partition after a signed retention record')
    .option('--dry-run', 'show what would be deleted; changes nothing')
    .option('--as-of <time>', 'with --dry-run, act as if it were this time')
    .option('--table <schema.table>', 'only this table')
    .action(() =>
      perform(async (cli) => {
        const { planArchive, retireExpired } = await import('../../lifecycle/index.ts')
        const { openKeys, openOwnedObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const asOf = timeOf(cli, 'asOf')
        const dry = cli.flags['dryRun'] === true
        if (asOf !== undefined && !dry) {
          throw new AkashiError(
            'invalid_input',
            '--as-of is allowed only with --dry-run, because retire deletes for good',
            {
              hint: 'add --dry-run, or remove --as-of',
            },
          )
        }
        const options = { ...tableOf(cli), signal: cli.signal }
        const plan = (): Promise<readonly ArchiveRow[]> =>
          withConnections(cli, ({ pool, actor }) =>
            planArchive(pool('worker'), actor, {
              ...options,
              only: 'retire',
              ...given({ asOf }),
            }),
          )
        const retire = async () => {
          const config = await cli.config()
          const keyring = await openKeys(config)
          return await withConnections(
            cli,
            async ({ pool, actor }) => {
              const worker = pool('worker')
              const { store, ownership } = await openOwnedObjects(config, worker, actor)
              await ownership.assertOwned()
              return await retireExpired(worker, actor, store, keyring, options)
            },
            keyring,
          ).finally(() => keyring.close())
        }
        const tables = await (dry ? plan() : retire())
        const rows = tables.map((row) => [row.action, row.table, row.partition, row.rows, row.message])
        const columns = ['action', 'table', 'partition', 'rows', 'message']
        cli.print({ tables }, tables.length === 0 ? 'nothing is due' : table(columns, rows))
        return tables.some(({ action }) => action === 'failed') ? 1 : 0
      }),
    )
}

function thaw(group: Command, perform: Perform): void {
  group
    .command('thaw')
    .description('list frozen objects and request that they be thawed; exits 1 while some are frozen')
    .option('--table <schema.table>', 'only this table')
    .option('--from <time>', 'only periods that end after it')
    .option('--to <time>', 'only periods that begin before it')
    .option('--dry-run', 'only list them')
    .action(() =>
      perform(async (cli) => {
        const { thawArchive } = await import('../../lifecycle/index.ts')
        const { openObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const store = await openObjects(await cli.config())
        const [from, to] = [timeOf(cli, 'from'), timeOf(cli, 'to')]
        const objects = await withConnections(cli, ({ pool, actor }) =>
          thawArchive(pool('worker'), actor, store, {
            ...tableOf(cli),
            ...given({ from, to }),
            dryRun: cli.flags['dryRun'] === true,
            signal: cli.signal,
          }),
        )
        const rows = objects.map(({ state, object, bytes }) => [state, object, bytes])
        cli.print(
          { objects },
          rows.length === 0 ? 'no frozen objects' : table(['state', 'object', 'bytes'], rows),
        )
        return objects.length === 0 ? 0 : 1
      }),
    )
}
