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
    .argument('[table]', 'schema.table; without it, list all tables and whether they are protected')
    .description('audit a table: every change of it is recorded, sealed and provable')
    .option('--classification <level>', `one of ${classifications.join(', ')}`, 'internal')
    .option('--subject <column>', 'column with the id of the person that a row is about (data subject)')
    .option('--digest <columns>', 'comma-separated columns recorded as salted digests')
    .option('--omit <columns>', 'comma-separated columns never recorded')
    .option('--ignore <columns>', 'comma-separated columns whose change alone is not recorded')
    .option(
      '--on-failure <action>',
      'when a change cannot be recorded: fail (the change fails) or record_loss (it succeeds and is counted)',
      'fail',
    )
    .option('--exempt <reason>', 'exempt the table from audit instead, for this reason')
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
            throw new AkashiError('invalid_input', `${String(classification)} is not a classification`, {
              hint: `one of ${classifications.join(', ')}`,
            })
          }
          const onFailure = stances.find((candidate) => candidate === cli.flags['onFailure'])
          if (onFailure === undefined) {
            throw new AkashiError(
              'invalid_input',
              `${String(cli.flags['onFailure'])} is not a valid --on-failure`,
              {
                hint: `one of ${stances.join(', ')}`,
              },
            )
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
          cli.print({ table: name, state: 'protected' }, `${name} is protected`)
          return 0
        })
      }),
    )
}

export const unprotect: Register = (program, perform) => {
  program
    .command('unprotect')
    .argument('<table>', 'schema.table')
    .description('stop auditing a table; its audit rows stay')
    .action((name: string) =>
      perform(async (cli) => {
        const audit = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        await withConnections(cli, ({ pool }) => audit.unprotect(pool('owner'), name))
        cli.print({ table: name, state: 'gap' }, `${name} is no longer protected; its audit rows stay`)
        return 0
      }),
    )
}
