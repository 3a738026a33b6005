import { announce } from '../announce.ts'
import type { Register } from '../invocation.ts'
import { readVersion } from '../version.ts'

export const serve: Register = (program, perform) => {
  program
    .command('serve')
    .description('serve HTTP over the PostgreSQL of DATABASE_URL; any number of nodes')
    .option('--port <n>', 'port of HTTP')
    .option('--host <address>', 'address that HTTP listens on')
    .action(() =>
      perform(async (cli) => {
        const start = await import('../../start/index.ts')
        await start.serve({
          settings: await cli.config(),
          version: readVersion(),
          log: await cli.log(),
          signal: cli.signal,
          onReady: announce(cli),
        })
        return 0
      }),
    )
}

export const work: Register = (program, perform) => {
  program
    .command('work')
    .description(
      'seal, verify and run the timetable for the PostgreSQL of DATABASE_URL; any number of workers',
    )
    .action(() =>
      perform(async (cli) => {
        const start = await import('../../start/index.ts')
        await start.work({
          settings: await cli.config(),
          version: readVersion(),
          log: await cli.log(),
          signal: cli.signal,
          onReady: () => cli.print({ ready: true }, 'ready'),
        })
        return 0
      }),
    )
}
