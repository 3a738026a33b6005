import type { Command } from 'commander'
import { AkashiError } from '../../foundation/index.ts'
import type { Register } from '../invocation.ts'

type Group = (group: Command, perform: Parameters<Register>[1]) => void

/** The time of `--until`. */
function momentOf(value: unknown): { readonly expiresAt?: Date } {
  if (typeof value !== 'string') return {}
  const expiresAt = new Date(value)
  if (Number.isNaN(expiresAt.getTime())) {
    throw new AkashiError('invalid_input', `${value} is not a valid time`, {
      hint: 'write it as 2026-12-31T00:00:00Z',
    })
  }
  return { expiresAt }
}

const show: Group = (group, perform) => {
  group
    .command('list', { isDefault: true })
    .description('list the roles with their permissions')
    .action(() =>
      perform(async (cli) => {
        const { listRoles } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const roles = await withConnections(cli, ({ pool, actor }) => listRoles(pool('owner'), actor))
        const rows = roles.map((role) => [role.name, role.tier, role.permissions.join(' '), role.description])
        cli.print({ roles }, table(['role', 'tier', 'permissions', ''], rows))
        return 0
      }),
    )
  group
    .command('permissions')
    .description('list every permission')
    .action(() =>
      perform(async (cli) => {
        const { listPermissions } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const permissions = await withConnections(cli, ({ pool, actor }) =>
          listPermissions(pool('owner'), actor),
        )
        const rows = permissions.map((each) => [
          `${each.resource}:${each.action}`,
          each.tier,
          each.description,
        ])
        cli.print({ permissions }, table(['permission', 'tier', ''], rows))
        return 0
      }),
    )
  group
    .command('of')
    .argument('<user>', 'username or id')
    .description('list the roles of a user')
    .action((user: string) =>
      perform(async (cli) => {
        const { holderNamed, rolesOfUser } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const roles = await withConnections(cli, async ({ pool, actor }) => {
          const staff = pool('owner')
          return await rolesOfUser(staff, actor, (await holderNamed(staff, actor, user)).id)
        })
        const rows = roles.map((grant) => [
          grant.role,
          grant.tier,
          grant.assignedAt,
          grant.inForce ? grant.expiresAt : 'expired',
        ])
        cli.print(
          { roles },
          rows.length === 0 ? `${user} has no role` : table(['role', 'tier', 'since', 'until'], rows),
        )
        return 0
      }),
    )
}

const give: Group = (group, perform) => {
  group
    .command('grant')
    .argument('<user>', 'username or id')
    .argument('<role>')
    .description('grant a role to a user, or change when the grant expires')
    .option('--until <time>', 'when it expires, such as 2026-12-31T00:00:00Z (default: never)')
    .action((user: string, role: string) =>
      perform(async (cli) => {
        const { grantRole, holderNamed } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const until = momentOf(cli.flags['until'])
        const { id, holder } = await withConnections(cli, async ({ pool, actor }) => {
          const owner = pool('owner')
          const holder = await holderNamed(owner, actor, user)
          cli.note(`user ${holder.username} (${holder.id})`)
          return { id: await grantRole(owner, actor, { userId: holder.id, role, ...until }), holder }
        })
        cli.print(
          { id, userId: holder.id, username: holder.username, role },
          `${holder.username} (${holder.id}) is ${role}`,
        )
        return 0
      }),
    )
  group
    .command('revoke')
    .argument('<user>', 'username or id')
    .argument('<role>')
    .description('revoke a role from a user')
    .action((user: string, role: string) =>
      perform(async (cli) => {
        const { holderNamed, revokeRole } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { revoked, holder } = await withConnections(cli, async ({ pool, actor }) => {
          const owner = pool('owner')
          const holder = await holderNamed(owner, actor, user)
          cli.note(`user ${holder.username} (${holder.id})`)
          return { revoked: await revokeRole(owner, actor, { userId: holder.id, role }), holder }
        })
        const who = `${holder.username} (${holder.id})`
        cli.print(
          { userId: holder.id, username: holder.username, role, revoked },
          revoked ? `${who} no longer has the role ${role}` : `${who} did not have the role ${role}`,
        )
        return 0
      }),
    )
}

const define: Group = (group, perform) => {
  group
    .command('create')
    .argument('<role>')
    .description('create a role without permissions')
    .option('--tier <tier>', 'system, business or service', 'service')
    .option('--description <text>')
    .action((name: string) =>
      perform(async (cli) => {
        const { tiers } = await import('@akashi/contract')
        const { createRole } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { description } = cli.flags
        const tier = tiers.find((each) => each === cli.flags['tier'])
        if (tier === undefined) {
          throw new AkashiError('invalid_input', `${String(cli.flags['tier'])} is not a tier`, {
            hint: `one of ${tiers.join(', ')}`,
          })
        }
        const role = { name, tier, ...(typeof description === 'string' ? { description } : {}) }
        const id = await withConnections(cli, ({ pool, actor }) => createRole(pool('owner'), actor, role))
        cli.print(
          { id, ...role },
          `created ${name}; add permissions with akashi roles allow ${name} <permission>`,
        )
        return 0
      }),
    )
  group
    .command('delete')
    .argument('<role>')
    .description('delete a role and every grant of it')
    .action((name: string) =>
      perform(async (cli) => {
        const { deleteRole } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const deleted = await withConnections(cli, ({ pool, actor }) =>
          deleteRole(pool('owner'), actor, name),
        )
        cli.print({ role: name, deleted }, deleted ? `deleted ${name}` : `role not found: ${name}`)
        return 0
      }),
    )
  for (const allowed of [true, false]) {
    group
      .command(allowed ? 'allow' : 'deny')
      .argument('<role>')
      .argument('<permission>', 'resource:action')
      .description(allowed ? 'add a permission to a role' : 'remove a permission from a role')
      .action((role: string, name: string) =>
        perform(async (cli) => {
          const { grantPermission, permissionNamed, revokePermission } = await import(
            '../../identity/index.ts'
          )
          const { withConnections } = await import('../databases.ts')
          const grant = { role, permission: permissionNamed(name) }
          await withConnections(cli, async ({ pool, actor }) => {
            await (allowed ? grantPermission : revokePermission)(pool('owner'), actor, grant)
          })
          cli.print({ ...grant, allowed }, `${role} ${allowed ? 'has' : 'does not have'} ${name}`)
          return 0
        }),
      )
  }
}

export const roles: Register = (program, perform) => {
  const group = program.command('roles').description('roles, their permissions, and who has them')
  show(group, perform)
  give(group, perform)
  define(group, perform)
}
