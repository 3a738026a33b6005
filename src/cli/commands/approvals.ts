import type { ApprovalAction } from '@akashi/contract'
import type { Command } from 'commander'
import type { Perform, Register } from '../invocation.ts'

export const approvals: Register = (program, perform) => {
  const group = program
    .command('approvals')
    .description('approvals of irreversible operations by several people (policy approval.people)')
  list(group, perform)
  request(group, perform)
  withdraw(group, perform)
}

function list(group: Command, perform: Perform): void {
  group
    .command('list', { isDefault: true })
    .description('list requests, newest first; people approve them over HTTP, signed in')
    .action(() =>
      perform(async (cli) => {
        const { listApprovals } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const found = await withConnections(cli, ({ pool, actor }) => listApprovals(pool('owner'), actor))
        const rows = found.map((each) => [
          each.id,
          `${each.state} (${each.approving} of ${each.people})`,
          each.action,
          each.target,
          each.requestedBy,
          each.expiresAt,
          each.reason,
        ])
        cli.print(
          { approvals: found },
          table(['request', 'state', 'action', 'target', 'by', 'expires', 'reason'], rows),
        )
        return 0
      }),
    )
}

function request(group: Command, perform: Perform): void {
  group
    .command('request')
    .argument(
      '<action>',
      'release_hold, shorten_retention, retire_rows, prune_backups, erase_person or lower_approval',
    )
    .argument('[target]', 'schema.table, a setting, or the id of a user')
    .description('request approval for an irreversible operation')
    .requiredOption('--reason <text>', 'recorded')
    .option('--total <duration>', 'of shorten_retention: the new total retention, such as "800 days"')
    .option('--at-expiry <what>', 'of shorten_retention: archive or retire', 'retire')
    .action((action: string, target: string | undefined) =>
      perform(async (cli) => {
        const { newApproval } = await import('@akashi/contract')
        const { AkashiError } = await import('../../foundation/index.ts')
        const { requestApproval } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const parsed = newApproval.safeParse({
          action: action as ApprovalAction,
          ...(target === undefined ? {} : { target }),
          ...(action === 'shorten_retention'
            ? { total: cli.flags['total'], atExpiry: cli.flags['atExpiry'] }
            : {}),
          reason: cli.flags['reason'],
        })
        if (!parsed.success) {
          throw new AkashiError('invalid_input', 'not a valid request for approval', {
            hint: parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
          })
        }
        const id = await withConnections(cli, ({ pool, actor }) =>
          requestApproval(pool('owner'), actor, parsed.data),
        )
        cli.print({ id }, `requested: ${id}`)
        return 0
      }),
    )
}

function withdraw(group: Command, perform: Perform): void {
  group
    .command('withdraw')
    .argument('<request>', 'as listed by akashi approvals list')
    .description('withdraw or refuse a request')
    .action((id: string) =>
      perform(async (cli) => {
        const { withdrawApproval } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        await withConnections(cli, ({ pool, actor }) => withdrawApproval(pool('owner'), actor, id))
        cli.print({ id }, `withdrawn: ${id}`)
        return 0
      }),
    )
}
