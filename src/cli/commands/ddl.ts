import type { Register } from '../invocation.ts'

/** Definitions for services beside Akashi, to be handed to their own tools. */
export const ddl: Register = (program, perform) => {
  const group = program
    .command('ddl')
    .description('print definitions for the services that Akashi works with')

  group
    .command('s3-lifecycle')
    .description('rules of the S3 bucket that move the archive to cheaper tiers by the age of its events')
    .option('--late', 'look through the archive for months that were exported late, and date theirs')
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
