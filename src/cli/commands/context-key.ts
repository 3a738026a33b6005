import type { Register } from '../invocation.ts'

export const contextKey: Register = (program, perform) => {
  const group = program
    .command('context-key')
    .description('keys with which applications sign who acts (docs/request-context.md)')
  group
    .command('list', { isDefault: true })
    .description('list the keys, without their secrets')
    .action(() =>
      perform(async (cli) => {
        const { listContextKeys } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const keys = await withConnections(cli, ({ pool, actor }) => listContextKeys(pool('owner'), actor))
        const rows = keys.map(({ id, application, login, createdAt, expiresAt }) => [
          id,
          application,
          login ?? 'all logins of Akashi',
          String(createdAt),
          expiresAt === null ? 'in use' : `replaced ${String(expiresAt)}`,
        ])
        cli.print({ keys }, table(['key', 'application', 'login', 'created', 'state'], rows))
        return 0
      }),
    )
  group
    .command('create')
    .requiredOption(
      '--application <name>',
      'application whose users the key signs for; its name is recorded in the trail',
    )
    .requiredOption('--login <role>', 'login of the application; the key is valid for this login only')
    .description('create a key; it is printed only once')
    .action(() =>
      perform(async (cli) => {
        const { createContextKey } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        const options = { application: String(cli.flags['application']), login: String(cli.flags['login']) }
        const created = await withConnections(cli, ({ pool, actor }) =>
          createContextKey(pool('owner'), actor, options),
        )
        cli.note('the key is printed only once: store it where the application keeps its database password')
        cli.print({ ...options, ...created }, created.key)
        return 0
      }),
    )
  group
    .command('revoke')
    .argument('<id>', 'as listed by akashi context-key list')
    .description('revoke a key immediately')
    .action((id: string) =>
      perform(async (cli) => {
        const { revokeContextKey } = await import('../../identity/index.ts')
        const { withConnections } = await import('../databases.ts')
        await withConnections(cli, ({ pool, actor }) => revokeContextKey(pool('owner'), actor, id))
        cli.print({ revoked: id }, `${id} is revoked`)
        return 0
      }),
    )
}
