import type { Protection } from '../../audit/index.ts'
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
    .option(
      '--baseline',
      'record every row as it is, so that rows from before can be compared with the trail',
    )
    .option(
      '--require-context',
      'refuse changes without a signed request context (docs/use-from-your-app.md)',
    )
    .option(
      '--context-exempt <logins>',
      'comma-separated logins that need no context, such as that of migrations',
    )
    .option('--history <logins>', 'comma-separated logins that may read the whole history of the table')
    .option('--exempt <reason>', 'exempt the table from audit instead, for this reason')
    .action((name: string | undefined) =>
      perform(async (cli) => {
        const audit = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        return await withConnections(cli, async ({ pool, actor }) => {
          const owner = pool('owner')
          if (name === undefined) {
            const tables = await audit.coverage(owner, actor)
            cli.print(
              { tables },
              table(
                ['state', 'table', 'classification', 'reason'],
                tables.map((t) => [t.state, t.table, t.classification, t.reason]),
              ),
            )
            return tables.some(({ state }) => state === 'gap') ? 1 : 0
          }
          const { exempt } = cli.flags
          if (typeof exempt === 'string') {
            await audit.exempt(owner, name, exempt)
            cli.print({ table: name, state: 'exempt' }, `${name} is exempt`)
            return 0
          }
          await audit.protect(owner, protectionOf(name, cli.flags))
          if (cli.flags['baseline'] === true) await audit.recordBaseline(owner, name, cli.signal)
          cli.print({ table: name, state: 'protected' }, `${name} is protected`)
          return 0
        })
      }),
    )
}

function protectionOf(table: string, flags: Readonly<Record<string, unknown>>): Protection {
  const { subject } = flags
  const contextExempt = list(flags['contextExempt'])
  const columns = Object.fromEntries([
    ...list(flags['digest']).map((column) => [column, treatments[1]] as const),
    ...list(flags['omit']).map((column) => [column, treatments[2]] as const),
  ])
  return {
    table,
    classification: oneOf(classifications, flags['classification'], 'a classification'),
    columns,
    ignore: list(flags['ignore']),
    onFailure: oneOf(stances, flags['onFailure'], 'a valid --on-failure'),
    historyReaders: list(flags['history']),
    ...(flags['requireContext'] === true || contextExempt.length > 0
      ? { requireContext: { exempt: contextExempt } }
      : {}),
    ...(typeof subject === 'string' ? { subject } : {}),
  }
}

/** @throws invalid_input unless it is one of them */
function oneOf<T extends string>(all: readonly T[], given: unknown, what: string): T {
  const found = all.find((each) => each === given)
  if (found === undefined) {
    throw new AkashiError('invalid_input', `${String(given)} is not ${what}`, {
      hint: `one of ${all.join(', ')}`,
    })
  }
  return found
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
