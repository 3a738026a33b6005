import type { Register } from '../invocation.ts'
import { addSettings } from '../setting-option.ts'

export const app: Register = (program, perform) => {
  const group = program.command('app').description('applications that use the database')
  addSettings(
    group
      .command('create')
      .argument('<name>', 'name of the application, as recorded in the audit trail')
      .description(
        'create a login for an application and the key with which it signs who acts; both are shown once',
      )
      .option('--login <role>', 'name of the login (default: the name followed by _app)')
      .option(
        '--secrets <folder>',
        'write both to files in this folder that only you can read, instead of printing them',
      ),
    ['databaseUrl'],
  ).action((application: string) =>
    perform(async (cli) => {
      const { createApplication } = await import('../../start/index.ts')
      const { openSecretFolder } = await import('../secret-folder.ts')
      const { login, secrets } = cli.flags
      const folder =
        typeof secrets === 'string'
          ? await openSecretFolder(secrets, ['database-url', 'context-key'])
          : undefined
      try {
        const made = await createApplication(await cli.config(), {
          application,
          ...(typeof login === 'string' ? { login } : {}),
          actor: await cli.actor(),
          signal: cli.signal,
        })
        await folder?.write({ 'database-url': made.databaseUrl, 'context-key': made.contextKey })
        const { contextKey, databaseUrl, ...plain } = made
        const text =
          folder === undefined
            ? [
                'for the application (shown only once):',
                `DATABASE_URL=${databaseUrl}`,
                `${application.toUpperCase().replaceAll('-', '_')}_CONTEXT_KEY=${contextKey}`,
              ]
            : [`the URL and the context key of the application are in ${folder.path}`]
        cli.print(
          { ...plain, ...(folder === undefined ? { databaseUrl, contextKey } : { secrets: folder.path }) },
          [
            ...text,
            `note: ${made.login} has no rights on your tables yet: grant select, insert, update, delete on … to ${made.login}`,
          ].join('\n'),
        )
        return 0
      } finally {
        await folder?.close()
      }
    }),
  )
}
