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
          login ?? 'every login of akashi',
          String(createdAt),
          expiresAt === null ? 'in use' : `replaced ${String(expiresAt)}`,
        ])
        cli.print({ keys }, table(['key', 'application', 'login', 'created', 'state'], rows))
        return 0
      }),
    )
  group
    .command('create')
    .requiredOption('--application <name>', 'whose users the key speaks for; the trail keeps the name')
    .requiredOption('--login <role>', 'the login of the application; the key signs for no other')
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
    .argument('<id>', 'as context-key list prints it')
    .description('end a key at once')
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
