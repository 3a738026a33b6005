import type { Channel } from '@akashi/contract'
import type { Invocation, Register } from '../invocation.ts'

/** Dead letters that are shown. */
const SHOWN = 200

function row(channel: Channel): string[] {
  const { name, kind, log, state, waiting, failures, lastError, deadLetters } = channel
  return [
    name,
    kind,
    log,
    failures > 0 ? `${state}, failing` : state,
    String(waiting),
    String(deadLetters),
    lastError ?? '',
  ]
}

const header = ['channel', 'kind', 'log', 'state', 'waiting', 'dead letters', 'last error']

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** A secret comes from a file, or from standard input as `-`; arguments are seen by every user of the machine. */
async function secretOf(cli: Invocation): Promise<string | undefined> {
  const file = textOf(cli.flags['secretFile'])
  if (file === undefined) return undefined
  const { readFile } = await import('node:fs/promises')
  const { text } = await import('node:stream/consumers')
  return (file === '-' ? await text(process.stdin) : await readFile(file, 'utf8')).trim()
}

type Parts = Parameters<Parameters<typeof import('../databases.ts').withConnections>[1]>[0]

async function withKeyring<T>(
  cli: Invocation,
  work: (parts: Parts, keyring: import('../../keys/index.ts').Keyring) => Promise<T>,
): Promise<T> {
  const { openKeys } = await import('../../start/index.ts')
  const { withConnections } = await import('../databases.ts')
  const keyring = await openKeys(await cli.config())
  try {
    return await withConnections(cli, (parts) => work(parts, keyring))
  } finally {
    await keyring.close()
  }
}

export const channel: Register = (program, perform) => {
  const group = program
    .command('channel')
    .description(
      'send security events and audit rows to webhooks, chat, e-mail, syslog, Security Hub and streams',
    )

  group
    .command('list', { isDefault: true })
    .description('list channels with their position in the log')
    .action(() =>
      perform(async (cli) => {
        const { listChannels } = await import('../../delivery/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const channels = await withConnections(cli, ({ pool, actor }) =>
          listChannels(pool('security_admin'), actor),
        )
        cli.print({ channels }, channels.length === 0 ? 'no channels' : table(header, channels.map(row)))
        return 0
      }),
    )

  group
    .command('add')
    .argument('<name>', 'name of the channel')
    .argument('<kind>', 'webhook, slack, teams, email, syslog, security_hub, stream or objects')
    .argument('<destination>', 'a URL without a password; docs/delivery.md shows each')
    .description('add a channel; it sends what is recorded from now on')
    .option('--log <log>', 'security_events or audit_logs', 'security_events')
    .option('--format <format>', 'akashi or ocsf', 'akashi')
    .option('--severity <severity>', 'this severity or higher: info, low, medium, high or critical', 'info')
    .option('--types <types>', 'comma-separated types of events, or tables of the trail (default: all)')
    .option('--per-minute <n>', 'maximum number of messages per minute', '600')
    .option('--secret-file <file>', 'file that holds the secret; - for standard input')
    .action((name: string, kind: string, destination: string) =>
      perform(async (cli) => {
        const { operations } = await import('@akashi/contract')
        const { addChannel } = await import('../../delivery/index.ts')
        const { given, parseQuery } = await import('../../foundation/index.ts')
        const { log, format, severity, types, perMinute } = cli.flags
        const wanted = parseQuery(
          operations['POST /v1/channels'].body,
          given({
            name,
            kind,
            destination,
            log,
            format,
            minSeverity: severity,
            types: textOf(types)?.split(','),
            perMinute: Number(perMinute),
            secret: await secretOf(cli),
          }),
        )
        const added = await withKeyring(cli, ({ pool, actor }, keyring) =>
          addChannel(pool('security_admin'), actor, keyring, given(wanted)),
        )
        cli.print(added, `channel ${added.name} begins at position ${added.position} of ${added.log}`)
        return 0
      }),
    )

  group
    .command('test')
    .argument('<channel>', 'name or id')
    .description('send a test message; exits 1 if it is not delivered')
    .action((wanted: string) =>
      perform(async (cli) => {
        const { channelNamed, testChannel } = await import('../../delivery/index.ts')
        const { openObjectStore } = await import('../../object-store/index.ts')
        const result = await withKeyring(cli, async ({ pool, actor }, keyring) => {
          const database = pool('security_admin')
          return await testChannel(
            { database, keyring, openStore: openObjectStore },
            actor,
            await channelNamed(database, actor, wanted),
            cli.signal,
          )
        })
        cli.print(
          result,
          result.delivered ? `delivered in ${result.milliseconds} ms` : `not delivered: ${result.error}`,
        )
        return result.delivered ? 0 : 1
      }),
    )

  for (const [name, state, description] of [
    ['pause', 'paused', 'stop sending; what is recorded meanwhile is sent after resuming'],
    ['resume', 'active', 'continue where the channel was paused'],
  ] as const) {
    group
      .command(name)
      .argument('<channel>', 'name or id')
      .description(description)
      .action((wanted: string) =>
        perform(async (cli) => {
          const { changeChannel, channelNamed } = await import('../../delivery/index.ts')
          const changed = await withKeyring(cli, async ({ pool, actor }, keyring) => {
            const database = pool('security_admin')
            const { id } = await channelNamed(database, actor, wanted)
            return await changeChannel(database, actor, keyring, id, { state })
          })
          cli.print(changed, `channel ${changed.name} is ${changed.state}`)
          return 0
        }),
      )
  }

  group
    .command('remove')
    .argument('<channel>', 'name or id')
    .description('remove a channel with its dead letters')
    .action((wanted: string) =>
      perform(async (cli) => {
        const { channelNamed, removeChannel } = await import('../../delivery/index.ts')
        const { withConnections } = await import('../databases.ts')
        const removed = await withConnections(cli, async ({ pool, actor }) => {
          const database = pool('security_admin')
          const found = await channelNamed(database, actor, wanted)
          await removeChannel(database, actor, found.id)
          return found
        })
        cli.print({ removed: removed.id }, `channel ${removed.name} is removed`)
        return 0
      }),
    )

  group
    .command('dead-letters')
    .argument('<channel>', 'name or id')
    .description('list the messages that could not be delivered')
    .action((wanted: string) =>
      perform(async (cli) => {
        const { channelNamed, listDeadLetters } = await import('../../delivery/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const { rows, next } = await withConnections(cli, async ({ pool, actor }) => {
          const database = pool('security_admin')
          const { id } = await channelNamed(database, actor, wanted)
          return await listDeadLetters(database, actor, id, { limit: SHOWN })
        })
        cli.print(
          { rows, more: next !== null },
          rows.length === 0
            ? 'no dead letters'
            : table(
                ['row', 'since', 'state', 'error'],
                rows.map(({ rowId, at, replaying, error }) => [
                  rowId,
                  at,
                  replaying ? 'to be sent' : '',
                  error,
                ]),
              ),
        )
        return 0
      }),
    )

  group
    .command('replay')
    .argument('<channel>', 'name or id')
    .argument('[rows...]', 'ids of rows (default: all)')
    .description('send dead letters again')
    .action((wanted: string, rows: string[]) =>
      perform(async (cli) => {
        const { channelNamed, replayDeadLetters } = await import('../../delivery/index.ts')
        const { withConnections } = await import('../databases.ts')
        const replaying = await withConnections(cli, async ({ pool, actor }) => {
          const database = pool('security_admin')
          const { id } = await channelNamed(database, actor, wanted)
          return await replayDeadLetters(database, actor, id, rows.length === 0 ? undefined : rows)
        })
        cli.print({ replaying }, `${replaying} are sent again`)
        return 0
      }),
    )
}
