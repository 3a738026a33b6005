import type { Invocation, Register } from '../invocation.ts'

async function target(cli: Invocation) {
  const { findAddresses, migrationsDirectory } = await import('../../start/index.ts')
  const { adminUrl } = await findAddresses(await cli.config())
  return { url: adminUrl, directory: migrationsDirectory, signal: cli.signal }
}

export const migrate: Register = (program, perform) => {
  const group = program.command('migrate').description('apply or revert database migrations')
  group
    .command('up')
    .description('apply all pending migrations')
    .action(() =>
      perform(async (cli) => {
        const { findConnections, migrateDatabase, openKeys } = await import('../../start/index.ts')
        const config = await cli.config()
        const keyring = await openKeys(config)
        const connections = await findConnections(config, keyring)
        const applied = await migrateDatabase({
          connections,
          keyring,
          actor: await cli.actor(),
          signal: cli.signal,
        }).finally(() => keyring.close())
        cli.print(
          { applied },
          applied.length === 0 ? 'nothing to do' : applied.map((id) => `applied ${id}`).join('\n'),
        )
        return 0
      }),
    )
  group
    .command('down')
    .description('revert the latest migration; refuses to drop tables with rows unless --destroy is given')
    .option('--steps <n>', 'how many migrations to revert', '1')
    .option('--destroy', 'drop tables even if they have rows')
    .action(() =>
      perform(async (cli) => {
        const { migrateDown } = await import('../../postgres/index.ts')
        const { AkashiError } = await import('../../foundation/index.ts')
        const steps = Number(cli.flags['steps'])
        if (!Number.isInteger(steps) || steps < 1) {
          throw new AkashiError('invalid_input', `${String(cli.flags['steps'])} is not a valid --steps`, {
            hint: 'give a whole number of at least 1',
          })
        }
        const reverted = await migrateDown({
          ...(await target(cli)),
          steps,
          destroy: cli.flags['destroy'] === true,
        })
        cli.print(
          { reverted },
          reverted.length === 0 ? 'nothing to do' : reverted.map((id) => `reverted ${id}`).join('\n'),
        )
        return 0
      }),
    )
  group
    .command('status')
    .description('list applied and pending migrations; exits 1 if any are pending')
    .action(() =>
      perform(async (cli) => {
        const { migrationStatus } = await import('../../postgres/index.ts')
        const { table } = await import('../output/table.ts')
        const found = await migrationStatus(await target(cli))
        const rows = [
          ...found.applied.map((migration) => ['applied', migration.name, migration.appliedAt]),
          ...found.pending.map((id) => ['pending', id, null]),
        ]
        cli.print(found, table(['state', 'migration', 'applied at'], rows))
        return found.pending.length === 0 ? 0 : 1
      }),
    )
}
