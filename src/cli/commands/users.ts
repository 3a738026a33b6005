import type { User } from '@akashi/contract'
import type { Command } from 'commander'
import { given } from '../../foundation/index.ts'
import type { Accounts } from '../../start/index.ts'
import type { Invocation, Perform, Register } from '../invocation.ts'

export const users: Register = (program, perform) => {
  const group = program
    .command('users')
    .description('user accounts: create, suspend, reset passwords, end sessions')
  list(group, perform)
  create(group, perform)
  onUser(group, perform, 'suspend', 'suspend a user and end all their sessions', async (accounts, user) => {
    const { suspendUser } = await import('../../identity/index.ts')
    const ended = await suspendUser(accounts, accounts.actor, user.id)
    return { document: { ended }, text: `${user.username} is suspended; ${ended} sessions ended` }
  })
  onUser(group, perform, 'reactivate', 'reactivate a suspended user', async (accounts, user) => {
    const { reactivateUser } = await import('../../identity/index.ts')
    await reactivateUser(accounts, accounts.actor, user.id)
    return { document: {}, text: `${user.username} can sign in again` }
  })
  resetPassword(group, perform)
  const sessions = group.command('sessions').description('sessions of a user')
  onUser(sessions, perform, 'list', 'list the active sessions of a user', async ({ worker, actor }, user) => {
    const { listSessions } = await import('../../identity/index.ts')
    const { table } = await import('../output/table.ts')
    const found = await worker.transaction(actor, (session) => listSessions(session, user.id))
    const rows = found.map((each) => [
      each.id,
      each.deviceType,
      each.ipAddress,
      each.lastActivity,
      each.expiresAt,
    ])
    return {
      document: { sessions: found },
      text: table(['session', 'device', 'address', 'last activity', 'expires'], rows),
    }
  })
  onUser(sessions, perform, 'revoke', 'end all sessions of a user', async (accounts, user) => {
    const { endSessions } = await import('../../identity/index.ts')
    const ended = await endSessions(accounts, accounts.actor, user.id)
    return { document: { ended }, text: `${ended} sessions of ${user.username} ended` }
  })
}

function list(group: Command, perform: Perform): void {
  group
    .command('list', { isDefault: true })
    .description('list the users')
    .option('--status <status>', 'active, inactive, suspended or deleted')
    .option('--cursor <cursor>', 'next page; the cursor is printed with the page before')
    .action(() =>
      perform(async (cli) => {
        const { accountStatuses } = await import('@akashi/contract')
        const { listUsers } = await import('../../identity/index.ts')
        const { AkashiError } = await import('../../foundation/index.ts')
        const { table } = await import('../output/table.ts')
        const status = accountStatuses.find((each) => each === cli.flags['status'])
        if (cli.flags['status'] !== undefined && status === undefined) {
          throw new AkashiError('invalid_input', `${String(cli.flags['status'])} is not a status`, {
            hint: `one of ${accountStatuses.join(', ')}`,
          })
        }
        const cursor = cli.flags['cursor']
        const page = await withAccounts(cli, ({ worker, actor, vault }) =>
          worker.transaction(actor, (session) =>
            listUsers(session, vault, {
              ...given({ status }),
              ...(typeof cursor === 'string' ? { cursor } : {}),
            }),
          ),
        )
        const rows = page.users.map((user) => [
          user.username,
          user.status,
          user.issuer,
          user.email,
          user.lastLoginAt ?? 'never',
        ])
        const more = page.next === null ? '' : `\nnext page: --cursor ${page.next}`
        cli.print(page, `${table(['user', 'status', 'issuer', 'e-mail', 'last sign-in'], rows)}${more}`)
        return 0
      }),
    )
}

function create(group: Command, perform: Perform): void {
  group
    .command('create')
    .argument('<username>')
    .description('create a local user; prints a one-time password')
    .requiredOption('--email <address>')
    .option('--display-name <name>', 'the name that others see')
    .action((username: string) =>
      perform(async (cli) => {
        const { createLocalUser } = await import('../../identity/index.ts')
        const displayName = cli.flags['displayName']
        const made = await withAccounts(cli, (accounts) =>
          createLocalUser(accounts, accounts.actor, {
            username,
            email: String(cli.flags['email']),
            displayName: typeof displayName === 'string' ? displayName : null,
          }),
        )
        cli.print(
          { id: made.id, username, oneTimePassword: made.password },
          `${username} can sign in with the one-time password ${made.password}`,
        )
        return 0
      }),
    )
}

function resetPassword(group: Command, perform: Perform): void {
  group
    .command('reset-password')
    .argument('<username>')
    .description('give a local user a one-time password and end all their sessions')
    .option('--second-factor', 'remove authenticators and recovery codes as well')
    .option('--revoke-api-keys', 'end every API key of the user as well')
    .action((username: string) =>
      perform(async (cli) => {
        const identity = await import('../../identity/index.ts')
        const password = await withAccounts(cli, async (accounts) => {
          const user = await identity.findUserByName(accounts, accounts.actor, username)
          cli.note(`user ${user.username} (${user.id})`)
          if (cli.flags['secondFactor'] === true)
            await identity.resetFactors(accounts, accounts.actor, user.id)
          return identity.resetPassword(accounts, accounts.actor, user.id, {
            revokeApiKeys: cli.flags['revokeApiKeys'] === true,
          })
        })
        cli.print(
          { username, oneTimePassword: password },
          `${username} can sign in with the one-time password ${password}`,
        )
        return 0
      }),
    )
}

/** A subcommand whose argument is a username. */
function onUser(
  group: Command,
  perform: Perform,
  verb: string,
  description: string,
  work: (accounts: Accounts, user: User) => Promise<{ readonly document: object; readonly text: string }>,
): void {
  group
    .command(verb)
    .argument('<username>')
    .description(description)
    .action((username: string) =>
      perform(async (cli) => {
        const { findUserByName } = await import('../../identity/index.ts')
        const { document, text } = await withAccounts(cli, async (accounts) => {
          const user = await findUserByName(accounts, accounts.actor, username)
          if (verb !== 'list') cli.note(`user ${user.username} (${user.id})`)
          return await work(accounts, user)
        })
        cli.print({ username, ...document }, text)
        return 0
      }),
    )
}

async function withAccounts<T>(cli: Invocation, work: (accounts: Accounts) => Promise<T>): Promise<T> {
  const start = await import('../../start/index.ts')
  return start.withAccounts(await cli.config(), await cli.actor(), work)
}
