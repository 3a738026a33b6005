import type { Register } from '../invocation.ts'

export const status: Register = (program, perform) => {
  program
    .command('status')
    .description('show the addresses of a running akashi up; --json prints URLs with passwords')
    .action(() =>
      perform(async (cli) => {
        const { describe } = await import('../../start/index.ts')
        const found = await describe(await cli.config())
        const { app, http, database, pid } = found
        const text = [
          `${app.name} ${app.version}, tier ${app.tier}, environment ${app.environment}`,
          http === null ? 'HTTP is not serving' : `HTTP       ${http}`,
          database === null ? 'PostgreSQL is not running' : `PostgreSQL ${found.place}`,
          `objects    ${found.objectStore}`,
          ...(pid === null ? [] : [`process    ${pid}`]),
        ].join('\n')
        cli.print(found, text)
        return http === null || database === null ? 3 : 0
      }),
    )
}

export const url: Register = (program, perform) => {
  program
    .command('url')
    .description('print the database URL, with its password, for psql and applications')
    .option('--role <role>', 'app, worker, reader, security_admin, backup, server or superuser', 'app')
    .action(() =>
      perform(async (cli) => {
        const { databaseUrl } = await import('../../start/index.ts')
        const found = await databaseUrl(await cli.config(), String(cli.flags['role']))
        cli.print({ url: found }, found)
        return 0
      }),
    )
}
