import { join } from 'node:path'
import type { Command } from 'commander'
import { AkashiError, aborted } from '../../foundation/index.ts'
import type { Register } from '../invocation.ts'
import { SettingOption } from '../setting-option.ts'

export const witness: Register = (program, perform) => {
  const group = program
    .command('witness')
    .description('witnesses, which cosign checkpoints to attest that a log only grows')
  group
    .command('trust')
    .argument('<url>', 'URL of the witness')
    .argument('<key>', 'its verifier key, as printed by akashi witness serve')
    .description('add a witness that cosigns every published checkpoint')
    .action((url: string, key: string) =>
      perform(async (cli) => {
        const { trustWitness } = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        const trusted = await withConnections(cli, ({ pool, actor }) =>
          trustWitness(pool('owner'), actor, url, key),
        )
        cli.print(trusted, `${trusted.name} starts to cosign within a minute`)
        return 0
      }),
    )
  group
    .command('forget')
    .argument('<name>')
    .description('remove a witness')
    .action((name: string) =>
      perform(async (cli) => {
        const { forgetWitness } = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        await withConnections(cli, ({ pool, actor }) => forgetWitness(pool('owner'), actor, name))
        cli.print({ forgotten: name }, `removed ${name}`)
        return 0
      }),
    )
  group
    .command('list')
    .description('list the trusted witnesses')
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
          rows.length === 0 ? 'no trusted witnesses' : table(['name', 'address', 'key'], rows),
        )
        return 0
      }),
    )
  policy(group, perform)
  serve(group, perform)
}

function policy(group: Command, perform: Parameters<Register>[1]): void {
  group
    .command('policy')
    .description(
      'print the current logs, keys and witnesses as a trust policy; keep it elsewhere and pass it to --policy',
    )
    .option('--log <log>', 'only this log; other tools refuse several logs with the same key')
    .action(() =>
      perform(async (cli) => {
        const { currentPolicy, logNamed, verifierKeys } = await import('../../audit/index.ts')
        const { openKeys } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { log } = cli.flags
        const only = log === undefined ? undefined : logNamed(String(log)).log
        const keyring = await openKeys(await cli.config())
        try {
          const text = await withConnections(cli, ({ pool, actor }) =>
            currentPolicy(pool('worker'), actor, verifierKeys(keyring), only),
          )
          cli.print({ policy: text }, text.trimEnd())
          return 0
        } finally {
          await keyring.close()
        }
      }),
    )
}

function serve(group: Command, perform: Parameters<Register>[1]): void {
  group
    .command('serve')
    .description(
      'run a witness: cosign the checkpoints of other logs, so that their operators cannot rewrite them',
    )
    .requiredOption('--name <name>', 'name to sign as, such as witness.example.org/akashi')
    .requiredOption(
      '--log <key...>',
      'verifier key of each log to witness, as printed by akashi audit key of its installation',
    )
    .option('--algorithm <name>', 'signature algorithm: ed25519 or ml-dsa-44', 'ed25519')
    .addOption(new SettingOption('port', '4181'))
    .addOption(new SettingOption('host', '127.0.0.1'))
    .action(() =>
      perform(async (cli) => {
        const { serveWitness, witnessAlgorithms, witnessKey } = await import('../../audit/index.ts')
        const { parseVerifierKey } = await import('../../keys/index.ts')
        const { openKeys } = await import('../../start/index.ts')
        const { name, log } = cli.flags
        const algorithm = witnessAlgorithms.find((each) => each === cli.flags['algorithm'])
        if (algorithm === undefined) {
          throw new AkashiError('invalid_input', `a witness signs with ${witnessAlgorithms.join(' or ')}`)
        }
        const { data, host, port, ...config } = await cli.config()
        const keyring = await openKeys({ ...config, data })
        try {
          const server = await serveWitness({
            folder: join(data, 'witness'),
            key: await witnessKey(keyring, String(name), algorithm),
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
            throw new AkashiError('unavailable', `port ${port} is in use`, {
              hint: 'choose another with --port',
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
