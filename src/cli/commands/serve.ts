import { announce } from '../announce.ts'
import type { Register } from '../invocation.ts'
import { addSettings, httpSettings, takeOverOption } from '../setting-option.ts'

export const serve: Register = (program, perform) => {
  const command = program
    .command('serve')
    .description('run an HTTP server on the PostgreSQL of DATABASE_URL; any number can run')
  addSettings(command, [...httpSettings, 'poolSize']).action(() =>
    perform(async (cli) => {
      const start = await import('../../start/index.ts')
      const settings = await cli.config()
      await start.serve({
        settings,
        version: settings.appVersion,
        log: await cli.log(),
        signal: cli.signal,
        onReady: announce(cli),
      })
      return 0
    }),
  )
}

export const work: Register = (program, perform) => {
  const command = program
    .command('work')
    .description(
      'run a worker (sealing, verification, scheduled jobs) on the PostgreSQL of DATABASE_URL; any number can run',
    )
  addSettings(command, ['clamdUrl', 'poolSize'])
    .option(...takeOverOption)
    .action(() =>
      perform(async (cli) => {
        const start = await import('../../start/index.ts')
        const settings = await cli.config()
        await start.work({
          settings,
          version: settings.appVersion,
          log: await cli.log(),
          signal: cli.signal,
          ...(cli.flags['takeOver'] === true ? { takeOver: await cli.actor() } : {}),
          onReady: () => cli.print({ ready: true }, 'ready'),
        })
        return 0
      }),
    )
}
