import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import type { Register } from '../invocation.ts'

export const witness: Register = (program, perform) => {
  program
    .command('witness')
    .description('cosign the checkpoints of logs elsewhere, so that their keepers cannot rewrite them')
    .requiredOption('--name <name>', 'name to sign as, such as witness.example.org/akashi')
    .requiredOption(
      '--log <key...>',
      'verifier key of each log to witness, as akashi audit key prints it there',
    )
    .option('--port <n>', 'port of HTTP (0 takes any free one)', '4181')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .action(() =>
      perform(async (cli) => {
        const { serveWitness, witnessKey } = await import('../../audit/index.ts')
        const { parseVerifierKey } = await import('../../keys/index.ts')
        const { openKeys } = await import('../../start/index.ts')
        const { name, log, host } = cli.flags
        const { data, port, ...config } = await cli.config()
        const keyring = await openKeys({ ...config, data })
        try {
          const server = await serveWitness({
            folder: join(data, 'witness'),
            key: await witnessKey(keyring, String(name)),
            logs: (log as readonly string[]).map((key) => parseVerifierKey(key)),
            port,
            host: String(host),
            onError: (error) => {
              cli.note(error instanceof Error ? error.message : 'the witness failed')
            },
          })
          cli.note(server.notice)
          cli.print(
            { ready: server.url, key: server.verifierKey },
            `ready ${server.url}\nkey ${server.verifierKey}`,
          )
          await new Promise<void>((resolve) => {
            if (cli.signal.aborted) resolve()
            else cli.signal.addEventListener('abort', () => resolve(), { once: true })
          })
          await server.close()
          return 0
        } catch (error) {
          if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
            throw new AkashiError('unavailable', `port ${port} is taken`, {
              hint: 'give another with --port',
              cause: error,
            })
          }
          throw error
        } finally {
          await keyring.close()
        }
      }),
    )
}
