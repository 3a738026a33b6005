import { announce } from '../announce.ts'
import type { Register } from '../invocation.ts'
import { readVersion } from '../version.ts'
import { offerSample } from './sample.ts'

export const up: Register = (program, perform) => {
  program
    .command('up')
    .description('run everything here: PostgreSQL, worker, HTTP; no configuration needed')
    .option('--port <n>', 'port of HTTP on this machine (0 takes any free one)')
    .option('--host <address>', 'address that HTTP listens on')
    .action(() =>
      perform(async (cli) => {
        const { up: start } = await import('../../start/index.ts')
        const offer = await offerSample(cli)
        const ready = announce(cli)
        let offered: Promise<void> | undefined
        await start({
          settings: await cli.config(),
          version: readVersion(),
          log: await cli.log(),
          signal: cli.signal,
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
