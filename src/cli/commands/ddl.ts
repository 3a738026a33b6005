import { counted, parseTableName } from '../../foundation/index.ts'
import type { Invocation, Register } from '../invocation.ts'

async function readTable(cli: Invocation, name: string) {
  const parsed = parseTableName(name)
  const { outerTable } = await import('../../lifecycle/index.ts')
  const { openObjects } = await import('../../start/index.ts')
  const { withConnections } = await import('../databases.ts')
  const { location } = cli.flags
  const store = await openObjects(await cli.config())
  return await withConnections(cli, ({ pool, actor }) =>
    outerTable(pool('worker'), actor, store, {
      ...parsed,
      signal: cli.signal,
      ...(typeof location === 'string' ? { location } : {}),
    }),
  )
}

function remark(cli: Invocation, checked: number): void {
  cli.note(
    checked === 0
      ? 'nothing is archived yet, so there is no object to compare with'
      : `compared with ${counted(checked, 'archived object')}`,
  )
}

export const ddl: Register = (program, perform) => {
  const group = program
    .command('ddl')
    .description('print definitions for AWS: Athena, Glue, S3 lifecycle rules')
  group
    .command('athena')
    .argument('<table>', 'schema.table')
    .description('print CREATE EXTERNAL TABLE with partition projection')
    .option('--database <name>', 'database of the Glue catalog', 'akashi')
    .option(
      '--location <url>',
      'where the objects are, such as s3://bucket/prefix (default: the object store)',
    )
    .action((name: string) =>
      perform(async (cli) => {
        const { athenaDdl } = await import('../../lifecycle/index.ts')
        const table = await readTable(cli, name)
        const text = athenaDdl(table, String(cli.flags['database']))
        cli.print({ ddl: text, table }, text)
        if (!cli.json) remark(cli, table.checked)
        return 0
      }),
    )
  group
    .command('glue')
    .argument('<table>', 'schema.table')
    .description('print the input of aws glue create-table --table-input')
    .option(
      '--location <url>',
      'where the objects are, such as s3://bucket/prefix (default: the object store)',
    )
    .action((name: string) =>
      perform(async (cli) => {
        const { glueTable } = await import('../../lifecycle/index.ts')
        const table = await readTable(cli, name)
        const document = glueTable(table)
        cli.print(document, JSON.stringify(document, null, 2))
        if (!cli.json) remark(cli, table.checked)
        return 0
      }),
    )
  group
    .command('s3-lifecycle')
    .description('print S3 lifecycle rules that move the archive to cheaper tiers by the age of its events')
    .option(
      '--late',
      'search the archive for months that were exported late, and add rules with dates for them',
    )
    .action(() =>
      perform(async (cli) => {
        const { lateMonths, s3Lifecycle, s3PrefixOf } = await import('../../object-store/index.ts')
        const { objectStoreUrl, openObjects } = await import('../../start/index.ts')
        const config = await cli.config()
        const prefix = s3PrefixOf(objectStoreUrl(config))
        const late = cli.flags['late'] === true ? await lateMonths(await openObjects(config), cli.signal) : []
        const rules = s3Lifecycle(prefix, late)
        cli.print(rules, JSON.stringify(rules, null, 2))
        return 0
      }),
    )
}
