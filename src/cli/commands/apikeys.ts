import type { Command } from 'commander'
import { AkashiError } from '../../foundation/index.ts'
import type { Invocation, Register } from '../invocation.ts'

type Group = (group: Command, perform: Parameters<Register>[1]) => void

const DAY_MS = 86_400_000
const HOUR_S = 3_600

function list(value: unknown): string[] {
  return typeof value === 'string' ? value.split(',').flatMap((each) => each.trim() || []) : []
}

function numberOf(cli: Invocation, flag: string): number | undefined {
  const value = cli.flags[flag]
  if (value === undefined) return undefined
  const number = Number(value)
  if (!Number.isFinite(number) || number < 0) {
    throw new AkashiError('invalid_input', `--${flag} must be a number, not ${String(value)}`)
  }
  return number
}

function textOf<K extends string>(cli: Invocation, flag: K): Partial<Record<K, string>> {
  const value = cli.flags[flag]
  return typeof value === 'string' ? ({ [flag]: value } as Partial<Record<K, string>>) : {}
}

async function tierOf(cli: Invocation) {
  const { tiers } = await import('@akashi/contract')
  const { tier: given } = cli.flags
  if (given === undefined) return {}
  const tier = tiers.find((each) => each === given)
  if (tier !== undefined) return { tier }
  throw new AkashiError('invalid_input', `${String(given)} is not a tier`, {
    hint: `one of ${tiers.join(', ')}`,
  })
}

const show: Group = (group, perform) => {
  group
    .command('list', { isDefault: true })
    .description('list the keys (never their secrets)')
    .action(() =>
      perform(async (cli) => {
        const { listApiKeys } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const keys = await withConnections(cli, ({ pool, actor }) => listApiKeys(pool('owner'), actor))
        const rows = keys.map((key) => [
          key.id,
          key.prefix,
          key.name,
          key.serviceName,
          key.isActive ? key.expiresAt : 'revoked',
          key.lastUsedAt ?? 'never',
          key.scopes.join(' '),
        ])
        const header = ['id', 'prefix', 'name', 'service', 'until', 'last used', 'scopes']
        cli.print({ keys }, rows.length === 0 ? 'no keys' : table(header, rows))
        return 0
      }),
    )
}

const issue: Group = (group, perform) => {
  group
    .command('create')
    .argument('<name>', 'what the key is for')
    .description('create a key; it is printed only once')
    .option('--owner <user>', 'username or id of the owner')
    .option('--service <account>', 'service account that owns it')
    .option('--scopes <permissions>', 'comma-separated permissions, such as events:read,events:write')
    .option('--tier <tier>', 'system, business or service (default: the owner’s)')
    .option('--days <n>', 'days until it expires; policies set the default and the maximum')
    .option('--environment <name>', 'part of the key text, such as live or test')
    .action((name: string) =>
      perform(async (cli) => {
        const { createApiKey, holderNamed } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { owner, service } = cli.flags
        const days = numberOf(cli, 'days')
        const tier = await tierOf(cli)
        const issued = await withConnections(cli, async ({ pool, actor }) => {
          const database = pool('owner')
          return await createApiKey(database, actor, {
            name,
            scopes: list(cli.flags['scopes']),
            ...tier,
            ...textOf(cli, 'environment'),
            ...(typeof owner === 'string' ? { owner: (await holderNamed(database, actor, owner)).id } : {}),
            ...(typeof service === 'string' ? { serviceAccount: service } : {}),
            ...(days === undefined ? {} : { expiresAt: new Date(Date.now() + days * DAY_MS) }),
          })
        })
        cli.note('the key is shown only once: store it as a secret')
        cli.print(issued, issued.key)
        return 0
      }),
    )
  group
    .command('rotate')
    .argument('<id>')
    .description('replace a key; the new one is printed only once, the old one stays valid for a while')
    .option('--overlap <hours>', 'how long the old key stays valid; policies set the default and the maximum')
    .option('--environment <name>', 'part of the key text, such as live or test')
    .action((id: string) =>
      perform(async (cli) => {
        const { rotateApiKey } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const overlap = numberOf(cli, 'overlap')
        const issued = await withConnections(cli, ({ pool, actor }) =>
          rotateApiKey(pool('owner'), actor, id, {
            ...textOf(cli, 'environment'),
            ...(overlap === undefined ? {} : { overlapSeconds: overlap * HOUR_S }),
          }),
        )
        cli.note('the key is shown only once: store it as a secret')
        cli.print({ ...issued, replaces: id }, issued.key)
        return 0
      }),
    )
  group
    .command('revoke')
    .argument('<id>')
    .description('revoke a key immediately')
    .option('--reason <text>', 'recorded in the audit trail')
    .action((id: string) =>
      perform(async (cli) => {
        const { revokeApiKey } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { reason } = textOf(cli, 'reason')
        const revoked = await withConnections(cli, ({ pool, actor }) =>
          revokeApiKey(pool('owner'), actor, id, reason),
        )
        cli.print({ id, revoked }, revoked ? `${id} is revoked` : `${id} was already revoked or expired`)
        return 0
      }),
    )
}

const services: Group = (group, perform) => {
  group
    .command('services')
    .description('list the service accounts')
    .action(() =>
      perform(async (cli) => {
        const { listServiceAccounts } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const accounts = await withConnections(cli, ({ pool, actor }) =>
          listServiceAccounts(pool('owner'), actor),
        )
        const rows = accounts.map((each) => [
          each.name,
          each.tier,
          each.isActive ? 'active' : 'inactive',
          each.roles.join(' '),
          each.description,
        ])
        const header = ['account', 'tier', 'state', 'roles', '']
        cli.print({ accounts }, rows.length === 0 ? 'no service accounts' : table(header, rows))
        return 0
      }),
    )
  group
    .command('add-service')
    .argument('<account>')
    .description('create a service account, for a program rather than a person')
    .option('--tier <tier>', 'highest tier of its roles: system, business or service', 'service')
    .option('--roles <roles>', 'comma-separated roles')
    .option('--description <text>')
    .action((name: string) =>
      perform(async (cli) => {
        const { createServiceAccount } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const account = { name, ...(await tierOf(cli)), ...textOf(cli, 'description') }
        const roles = list(cli.flags['roles'])
        const id = await withConnections(cli, ({ pool, actor }) =>
          createServiceAccount(pool('owner'), actor, { ...account, roles }),
        )
        cli.print(
          { id, ...account, roles },
          `created ${name}; create its key with akashi apikeys create --service ${name}`,
        )
        return 0
      }),
    )
  for (const granted of [true, false]) {
    group
      .command(granted ? 'grant-service' : 'revoke-service')
      .argument('<account>')
      .argument('<role>')
      .description(granted ? 'grant a role to a service account' : 'revoke a role from a service account')
      .action((account: string, role: string) =>
        perform(async (cli) => {
          const { grantServiceRole, revokeServiceRole } = await import('../../identity/index.ts')
          const { withConnections } = await import('../databases.ts')
          const changed = await withConnections(cli, async ({ pool, actor }) => {
            const owner = pool('owner')
            if (!granted) return await revokeServiceRole(owner, actor, { account, role })
            await grantServiceRole(owner, actor, { account, role })
            return true
          })
          const state = granted ? 'has' : changed ? 'no longer has' : 'did not have'
          cli.print({ account, role, granted: granted && changed }, `${account} ${state} the role ${role}`)
          return 0
        }),
      )
  }
  for (const active of [true, false]) {
    group
      .command(active ? 'resume-service' : 'stop-service')
      .argument('<account>')
      .description(active ? 'reactivate a service account' : 'deactivate a service account and all its keys')
      .action((name: string) =>
        perform(async (cli) => {
          const { setServiceAccountActive } = await import('../../identity/index.ts')
          const { withConnections } = await import('../databases.ts')
          await withConnections(cli, ({ pool, actor }) =>
            setServiceAccountActive(pool('owner'), actor, name, active),
          )
          cli.print({ account: name, active }, `${name} is ${active ? 'active' : 'inactive'}`)
          return 0
        }),
      )
  }
}

export const apikeys: Register = (program, perform) => {
  const group = program
    .command('apikeys')
    .description('API keys and service accounts: create, list, rotate, revoke')
  show(group, perform)
  issue(group, perform)
  services(group, perform)
}
