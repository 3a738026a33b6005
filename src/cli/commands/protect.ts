import { AkashiError } from '../../foundation/index.ts'
import type { Register } from '../invocation.ts'

const classifications = ['public', 'internal', 'confidential', 'restricted'] as const
const stances = ['fail', 'record_loss'] as const
const treatments = ['plain', 'digest', 'omit'] as const

function list(value: unknown): string[] {
  return typeof value === 'string'
    ? value
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '')
    : []
}

export const protect: Register = (program, perform) => {
  program
    .command('protect')
    .argument('[table]', 'schema.table; without it, list every table and whether it is covered')
    .description('put a table under audit: every change of it is recorded, sealed and provable')
    .option('--classification <level>', `one of ${classifications.join(', ')}`, 'internal')
    .option('--subject <column>', 'column that says which person a row is about')
    .option('--digest <columns>', 'columns kept as salted digests, separated by commas')
    .option('--omit <columns>', 'columns never kept, separated by commas')
    .option('--ignore <columns>', 'columns whose change alone is not recorded, separated by commas')
    .option(
      '--on-failure <stance>',
      'when a change cannot be recorded: fail, it is not made; record_loss, it is made and counted',
      'fail',
    )
    .option('--exempt <reason>', 'instead, say why the table needs no audit')
    .action((name: string | undefined) =>
      perform(async (cli) => {
        const audit = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        return await withConnections(cli, async ({ pool }) => {
          const owner = pool('owner')
          if (name === undefined) {
            const tables = await audit.coverage(owner)
            cli.print(
              { tables },
              table(
                ['state', 'table', 'classification', 'reason'],
                tables.map((t) => [t.state, t.table, t.classification, t.reason]),
              ),
            )
            return tables.some(({ state }) => state === 'gap') ? 1 : 0
          }
          const { classification, subject, digest, omit, ignore, exempt } = cli.flags
          if (typeof exempt === 'string') {
            await audit.exempt(owner, name, exempt)
            cli.print({ table: name, state: 'exempt' }, `${name} is exempt`)
            return 0
          }
          const level = classifications.find((candidate) => candidate === classification)
          if (level === undefined) {
            throw new AkashiError('invalid_input', `${String(classification)} is no classification`, {
              hint: `one of ${classifications.join(', ')}`,
            })
          }
          const onFailure = stances.find((candidate) => candidate === cli.flags['onFailure'])
          if (onFailure === undefined) {
            throw new AkashiError('invalid_input', `${String(cli.flags['onFailure'])} is no stance`, {
              hint: `one of ${stances.join(', ')}`,
            })
          }
          const columns = Object.fromEntries([
            ...list(digest).map((column) => [column, treatments[1]] as const),
            ...list(omit).map((column) => [column, treatments[2]] as const),
          ])
          await audit.protect(owner, {
            table: name,
            classification: level,
            columns,
            ignore: list(ignore),
            onFailure,
            ...(typeof subject === 'string' ? { subject } : {}),
          })
          cli.print({ table: name, state: 'protected' }, `${name} is under audit`)
          return 0
        })
      }),
    )
}

export const unprotect: Register = (program, perform) => {
  program
    .command('unprotect')
    .argument('<table>', 'schema.table')
    .description('end the audit of a table; its trail stays')
    .action((name: string) =>
      perform(async (cli) => {
        const audit = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        await withConnections(cli, ({ pool }) => audit.unprotect(pool('owner'), name))
        cli.print({ table: name, state: 'gap' }, `${name} is no longer under audit; its trail stays`)
        return 0
      }),
    )
}
