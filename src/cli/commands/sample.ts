import type { SampleParts } from '../../chat/index.ts'
import type { Invocation, Register } from '../invocation.ts'

export const sample: Register = (program, perform) => {
  const group = program
    .command('sample')
    .description('a chat workspace to look around in: four people who talk')
  group
    .command('add')
    .description('make it; prints the one-time passwords of its people')
    .action(() =>
      perform(async (cli) => {
        const { addSample } = await import('../../chat/index.ts')
        const { table } = await import('../output/table.ts')
        const people = await withSample(cli, addSample)
        const rows = people.map(({ username, displayName, oneTimePassword }) => [
          username,
          displayName,
          oneTimePassword,
        ])
        cli.print({ people }, table(['user', 'name', 'one-time password'], rows))
        return 0
      }),
    )
  group
    .command('remove')
    .description('delete its rooms and erase its people')
    .action(() =>
      perform(async (cli) => {
        const { removeSample } = await import('../../chat/index.ts')
        const removed = await withSample(cli, removeSample)
        cli.print(
          { removed },
          removed === 0 ? 'there is no sample workspace' : `${removed} people and their rooms are gone`,
        )
        return 0
      }),
    )
}

async function withSample<T>(cli: Invocation, work: (parts: SampleParts) => Promise<T>): Promise<T> {
  const start = await import('../../start/index.ts')
  const config = await cli.config()
  const store = await start.openObjects(config)
  return await start.withAccounts(config, (accounts) => work({ ...accounts, store }))
}
