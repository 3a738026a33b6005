import type { Invocation, Register } from '../invocation.ts'

async function target(cli: Invocation) {
  const { findAddresses, migrationsDirectory } = await import('../../start/index.ts')
  const { adminUrl } = await findAddresses(await cli.config())
  return { url: adminUrl, directory: migrationsDirectory, signal: cli.signal }
}

export const migrate: Register = (program, perform) => {
  const group = program
    .command('migrate')
    .description('bring the database to the version of this program, or back')
  group
    .command('up')
    .description('apply every migration that is pending')
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
    .description('take the last migration back; refuses to discard rows without --destroy')
    .option('--steps <n>', 'how many to take back', '1')
    .option('--destroy', 'also when rows are lost with it')
    .action(() =>
      perform(async (cli) => {
        const { migrateDown } = await import('../../postgres/index.ts')
        const { AkashiError } = await import('../../foundation/index.ts')
        const steps = Number(cli.flags['steps'])
        if (!Number.isInteger(steps) || steps < 1) {
          throw new AkashiError('invalid_input', `${String(cli.flags['steps'])} is no number of migrations`, {
            hint: 'give a whole number from 1 up',
          })
        }
        const reverted = await migrateDown({
          ...(await target(cli)),
          steps,
          destroy: cli.flags['destroy'] === true,
        })
        cli.print(
          { reverted },
          reverted.length === 0 ? 'nothing to do' : reverted.map((id) => `took back ${id}`).join('\n'),
        )
        return 0
      }),
    )
  group
    .command('status')
    .description('list what is applied and what is pending')
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
