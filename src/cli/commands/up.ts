import { announce } from '../announce.ts'
import type { Register } from '../invocation.ts'
import { addSettings, httpSettings, takeOverOption } from '../setting-option.ts'
import { offerSample } from './sample.ts'

export const up: Register = (program, perform) => {
  const command = program
    .command('up')
    .description('run PostgreSQL, a worker and the HTTP server in one process; needs no configuration')
  addSettings(command, [...httpSettings, 'clamdUrl', 'poolSize'])
    .option(...takeOverOption)
    .action(() =>
      perform(async (cli) => {
        const { up: start } = await import('../../start/index.ts')
        const settings = await cli.config()
        const offer = await offerSample(cli)
        const ready = announce(cli)
        let offered: Promise<void> | undefined
        await start({
          settings,
          version: settings.appVersion,
          log: await cli.log(),
          signal: cli.signal,
          ...(cli.flags['takeOver'] === true ? { takeOver: await cli.actor() } : {}),
          onReady: (what) => {
            ready(what)
            offered = offer?.carryOut()
          },
        })
        await offered
        return 0
      }),
    )
}
