import type { Register } from '../invocation.ts'

export const settings: Register = (program, perform) => {
  const group = program
    .command('settings')
    .description('settings stored in the database, such as retention, data residency and time zone')
  group
    .command('list', { isDefault: true })
    .description('list every setting with its value')
    .action(() =>
      perform(async (cli) => {
        const { listSettings } = await import('../../lifecycle/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const found = await withConnections(cli, ({ pool, actor }) => listSettings(pool('worker'), actor))
        const rows = found.map(({ key, value, description }) => [key, value, description])
        cli.print({ settings: found }, table(['setting', 'value', ''], rows))
        return 0
      }),
    )
  group
    .command('set')
    .argument('<setting>', 'as listed by akashi settings list')
    .argument('<value>', 'a number, true or false, a text, or comma-separated texts')
    .description('change a setting for all processes; recorded in the audit trail')
    .action((key: string, value: string) =>
      perform(async (cli) => {
        const { setSetting } = await import('../../lifecycle/index.ts')
        const { withConnections } = await import('../databases.ts')
        const changed = await withConnections(cli, ({ pool, actor }) =>
          setSetting(pool('owner'), actor, key, value),
        )
        cli.print(changed, `${key} is now ${JSON.stringify(changed.value)}`)
        return 0
      }),
    )
}
