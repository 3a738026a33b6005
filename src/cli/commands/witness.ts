import { join } from 'node:path'
import type { Command } from 'commander'
import { AkashiError, aborted } from '../../foundation/index.ts'
import type { Register } from '../invocation.ts'
import { SettingOption } from '../setting-option.ts'

export const witness: Register = (program, perform) => {
  const group = program.command('witness').description('witnesses: who else vouches that a log only grows')
  group
    .command('trust')
    .argument('<url>', 'address of the witness')
    .argument('<key>', 'its key, as akashi witness serve printed it')
    .description('have every published head cosigned by a witness')
    .action((url: string, key: string) =>
      perform(async (cli) => {
        const { trustWitness } = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        const trusted = await withConnections(cli, ({ pool, actor }) =>
          trustWitness(pool('owner'), actor, url, key),
        )
        cli.print(trusted, `${trusted.name} cosigns from the next minute on`)
        return 0
      }),
    )
  group
    .command('forget')
    .argument('<name>')
    .description('submit to a witness no more')
    .action((name: string) =>
      perform(async (cli) => {
        const { forgetWitness } = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        await withConnections(cli, ({ pool, actor }) => forgetWitness(pool('owner'), actor, name))
        cli.print({ forgotten: name }, `${name} is asked no more`)
        return 0
      }),
    )
  group
    .command('list')
    .description('list the witnesses that are trusted here')
    .action(() =>
      perform(async (cli) => {
        const { trustedWitnesses } = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const witnesses = await withConnections(cli, ({ pool, actor }) =>
          trustedWitnesses(pool('worker'), actor),
        )
        const rows = witnesses.map(({ name, url, key }) => [name, url, key])
        cli.print(
          { witnesses },
          rows.length === 0 ? 'no witness is trusted' : table(['name', 'address', 'key'], rows),
        )
        return 0
      }),
    )
  serve(group, perform)
}

function serve(group: Command, perform: Parameters<Register>[1]): void {
  group
    .command('serve')
    .description(
      'be a witness: cosign the checkpoints of logs elsewhere, so that their keepers cannot rewrite them',
    )
    .requiredOption('--name <name>', 'name to sign as, such as witness.example.org/akashi')
    .requiredOption(
      '--log <key...>',
      'verifier key of each log to witness, as akashi audit key prints it there',
    )
    .addOption(new SettingOption('port', '4181'))
    .addOption(new SettingOption('host', '127.0.0.1'))
    .action(() =>
      perform(async (cli) => {
        const { serveWitness, witnessKey } = await import('../../audit/index.ts')
        const { parseVerifierKey } = await import('../../keys/index.ts')
        const { openKeys } = await import('../../start/index.ts')
        const { name, log } = cli.flags
        const { data, host, port, ...config } = await cli.config()
        const keyring = await openKeys({ ...config, data })
        try {
          const server = await serveWitness({
            folder: join(data, 'witness'),
            key: await witnessKey(keyring, String(name)),
            logs: (log as readonly string[]).map((key) => parseVerifierKey(key)),
            port,
            host,
            onError: (error) => {
              cli.note(error instanceof Error ? error.message : 'the witness failed')
            },
          })
          cli.note(server.notice)
          cli.print(
            { ready: server.url, key: server.verifierKey },
            `ready ${server.url}\nkey ${server.verifierKey}`,
          )
          await aborted(cli.signal)
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
