import type { Command } from 'commander'
import { AkashiError, parseTableName } from '../../foundation/index.ts'
import type { Invocation, Perform } from '../invocation.ts'

function text(cli: Invocation, flag: string): string | null {
  const value = cli.flags[flag]
  return value === undefined ? null : String(value)
}

function filterOf(cli: Invocation) {
  const table = text(cli, 'table')
  return { ...(table === null ? {} : { table: parseTableName(table) }), signal: cli.signal }
}

/** `archive policy copy`: which part of a table is copied where. */
export function copyPolicy(policies: Command, perform: Perform): void {
  policies
    .command('copy')
    .argument('<table>', 'schema.table')
    .description('copy the archive of a table, or of one tenant or class of it, to another destination')
    .requiredOption('--to <destination>', 'main, cold, or a name of ARCHIVE_DESTINATIONS')
    .option('--tenant <name>', 'only rows of this tenant (tenant_id)')
    .option('--class <name>', 'only rows of this class (data_classification, or event_category of events)')
    .option('--total <time>', 'how long a copy is kept from the end of its period, such as "3 years"')
    .option('--end', 'copy nothing more; what was copied stays as long as it was promised')
    .option('--reason <text>', 'recorded in the audit trail')
    .action((name: string) =>
      perform(async (cli) => {
        const { setCopyPolicy } = await import('../../lifecycle/index.ts')
        const { archiveDestinations } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const total = text(cli, 'total')
        const end = cli.flags['end'] === true
        if (end === (total !== null)) {
          throw new AkashiError('invalid_input', 'give either --total or --end', {
            hint: '--total "3 years" copies and keeps it that long; --end stops copying',
          })
        }
        const destination = text(cli, 'to') ?? ''
        const known = [...archiveDestinations(await cli.config()).keys()]
        if (!end && !known.includes(destination)) {
          throw new AkashiError('invalid_input', `${destination} is not a destination`, {
            hint: `this process knows ${known.join(', ')}; others are configured with ARCHIVE_DESTINATIONS`,
          })
        }
        const change = { tenant: text(cli, 'tenant'), class: text(cli, 'class'), destination, total }
        const changed = await withConnections(cli, ({ pool, actor }) =>
          setCopyPolicy(
            pool('worker'),
            actor,
            parseTableName(name),
            change,
            text(cli, 'reason') ?? undefined,
          ),
        )
        const part = partText(changed)
        cli.print(
          changed,
          end
            ? `${part} of ${name} is no longer copied to ${destination}; existing copies are kept as long as promised`
            : `${part} of ${name} is copied to ${destination} and kept there for ${changed.total}`,
        )
        return 0
      }),
    )
}

function partText(part: { readonly tenant: string | null; readonly class: string | null }): string {
  const { tenant, class: kind } = part
  if (tenant === null && kind === null) return 'everything'
  return [tenant === null ? '' : `tenant ${tenant}`, kind === null ? '' : `class ${kind}`]
    .filter((each) => each !== '')
    .join(', ')
}

/** `archive copies`: what is at other destinations. */
export function copies(group: Command, perform: Perform): void {
  group
    .command('copies')
    .description('list copies at other destinations')
    .option('--table <schema.table>', 'only this table')
    .option('--verify', 'read each copy back and compare it; exits 1 if one differs')
    .action(() =>
      perform(async (cli) => {
        const { copyStatus, verifyCopies } = await import('../../lifecycle/index.ts')
        const { openObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const verify = cli.flags['verify'] === true
        const filter = filterOf(cli)
        const found = await withConnections(cli, async ({ pool, actor }) =>
          verify
            ? await verifyCopies(pool('worker'), actor, await openObjects(await cli.config()), filter)
            : (await copyStatus(pool('worker'), actor, filter)).map((copy) => ({
                ...copy,
                ok: true,
                problem: copy.message,
              })),
        )
        const rows = found.map((each) => [
          verify ? (each.ok ? 'ok' : 'BAD') : each.state,
          each.table,
          each.partition,
          partText(each),
          each.destination,
          each.rows,
          each.keepUntil,
          each.problem,
        ])
        const columns = ['', 'table', 'partition', 'part', 'destination', 'rows', 'kept until', 'message']
        const ok = found.every((each) => each.ok)
        cli.print({ ok, copies: found }, rows.length === 0 ? 'there are no copies' : table(columns, rows))
        return ok ? 0 : 1
      }),
    )
}

const BYTES_A_MB = 1e6

/** `archive tenants`: statistics. */
export function tenants(group: Command, perform: Perform): void {
  group
    .command('tenants')
    .description('rows, bytes, age and monthly cost of the data of each tenant')
    .option('--tenant <name>', 'only this tenant')
    .action(() =>
      perform(async (cli) => {
        const { tenantUsage } = await import('../../lifecycle/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const tenant = text(cli, 'tenant')
        const found = await withConnections(cli, ({ pool, actor }) =>
          tenantUsage(pool('worker'), actor, {
            ...(tenant === null ? {} : { tenant }),
            signal: cli.signal,
          }),
        )
        const megabytes = (bytes: number) => (bytes / BYTES_A_MB).toFixed(1)
        const rows = found.map((each) => [
          each.others ? '(others)' : (each.tenant ?? '(none)'),
          each.class,
          each.table,
          each.databaseRows,
          each.archivedRows,
          megabytes(each.databaseBytes),
          megabytes(each.archivedBytes + each.copiedBytes),
          each.oldest,
          `$${each.monthlyDollars.toFixed(2)}`,
        ])
        const columns = [
          'tenant',
          'class',
          'table',
          'rows in PostgreSQL',
          'in the archive',
          'MB in PostgreSQL',
          'MB in stores',
          'oldest',
          'per month',
        ]
        cli.print({ tenants: found }, rows.length === 0 ? 'nothing is stored' : table(columns, rows))
        return 0
      }),
    )
}
