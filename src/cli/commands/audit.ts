import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { RecordAsOfQuery, RecordQuery, RecordVersion } from '../../audit/index.ts'
import { AkashiError, errno, parseTableName } from '../../foundation/index.ts'
import type { Invocation, Register } from '../invocation.ts'
import { SettingOption } from '../setting-option.ts'
import type { ExitStatus } from '../world.ts'
import { ledgerLists } from './audit-ledger.ts'
import { limitOf, moreOf } from './pages.ts'

/** Command line option → field of the filter, description. */
const filters: readonly (readonly [option: string, field: string, meaning: string])[] = [
  ['table <schema.table>', 'table', 'changes of one table'],
  ['record <id>', 'recordId', 'changes of one record, by its key'],
  ['user <id>', 'userId', 'rows of one user'],
  ['session <id>', 'sessionId', 'rows of one session'],
  ['address <ip>', 'address', 'rows from one address or network, such as 192.0.2.0/24'],
  ['resource <type>', 'resource', 'actions on one kind of resource'],
  ['resource-id <id>', 'resourceId', 'actions on one resource'],
  ['request <id>', 'requestId', 'rows of one request'],
  ['trace <id>', 'traceId', 'rows of one trace'],
  ['action <action>', 'action', 'one action: insert, update, delete, truncate or a custom one'],
  ['event-type <type>', 'eventType', 'one type of event'],
  ['result <result>', 'result', 'one result'],
  ['tenant <id>', 'tenantId', 'one tenant'],
  ['classification <level>', 'classification', 'public, internal, confidential or restricted'],
  ['subject <id>', 'dataSubject', 'rows about one person'],
  ['from <time>', 'from', 'at or after this time, such as 2026-01-31T00:00:00Z'],
  ['to <time>', 'to', 'before this time'],
  ['text <text>', 'text', 'values that contain this text; requires --table or --from'],
  ['cursor <cursor>', 'cursor', 'next page; the cursor is printed with the page before'],
]

function search(group: Command, perform: Parameters<Register>[1]): void {
  const command = group.command('search').description('find rows of the audit trail, newest first')
  for (const [option, , meaning] of filters) command.option(`--${option}`, meaning)
  command.option('--limit <n>', 'rows per page').action(() =>
    perform(async (cli) => {
      const { searchTrail } = await import('../../audit/index.ts')
      const { withConnections } = await import('../databases.ts')
      const { table } = await import('../output/table.ts')
      const given = Object.fromEntries(
        filters
          .map(([option, field]) => [field, cli.flags[camelCase(option.split(' ')[0] ?? '')]] as const)
          .filter(([field, value]) => value !== undefined && field !== 'table'),
      )
      const { table: name } = cli.flags
      const named = typeof name === 'string' ? parseTableName(name) : {}
      const filter = { ...given, ...named, ...limitOf(cli) }
      const page = await withConnections(cli, ({ pool, actor }) =>
        searchTrail(pool('security_admin'), actor, filter),
      )
      const rows = page.rows.map((row) => [
        row.createdAt,
        row.action,
        row.table === null ? row.resource : `${row.schema}.${row.table}`,
        row.recordId ?? row.resourceId,
        row.userId ?? row.subject ?? row.dbUser,
        row.id,
      ])
      const shown =
        rows.length === 0
          ? 'nothing found'
          : table(['at', 'action', 'table or resource', 'record', 'by', 'row'], rows)
      cli.print(page, shown + moreOf(page.next))
      return 0
    }),
  )
}

function changesOf(row: RecordVersion): string {
  return row.changes
    .map(
      ({ field, old, new: now }) =>
        `${field}: ${old === undefined ? '' : `${JSON.stringify(old)} → `}${now === undefined ? '∅' : JSON.stringify(now)}`,
    )
    .join(', ')
}

function history(group: Command, perform: Parameters<Register>[1]): void {
  group
    .command('history')
    .argument('<table>', 'schema.table')
    .argument('<record>', 'key of the record, as the audit trail shows it')
    .description('show the changes of one record, or its values at a given time')
    .option('--at <time>', 'show its values at this time, such as 2026-01-31T00:00:00Z')
    .option('--limit <n>', 'changes per page')
    .option('--cursor <cursor>', 'next page; the cursor is printed with the page before')
    .action((name: string, recordId: string) =>
      perform((cli) => {
        const record = { ...parseTableName(name), recordId }
        const { at } = cli.flags
        return typeof at === 'string' ? showAsOf(cli, { ...record, at }) : showHistory(cli, record)
      }),
    )
}

async function showAsOf(cli: Invocation, query: RecordAsOfQuery): Promise<ExitStatus> {
  const { recordAsOf } = await import('../../audit/index.ts')
  const { withConnections } = await import('../databases.ts')
  const found = await withConnections(cli, ({ pool, actor }) =>
    recordAsOf(pool('security_admin'), actor, query),
  )
  cli.print(
    found,
    found.values === null ? `${found.state}: ${found.reason}` : JSON.stringify(found.values, null, 2),
  )
  return found.state === 'present' ? 0 : 1
}

async function showHistory(cli: Invocation, record: RecordQuery): Promise<ExitStatus> {
  const { recordHistory } = await import('../../audit/index.ts')
  const { withConnections } = await import('../databases.ts')
  const { table } = await import('../output/table.ts')
  const { cursor } = cli.flags
  const query = { ...record, ...limitOf(cli), ...(typeof cursor === 'string' ? { cursor } : {}) }
  const page = await withConnections(cli, ({ pool, actor }) =>
    recordHistory(pool('security_admin'), actor, query),
  )
  const rows = page.rows.map((row) => [
    row.createdAt,
    row.action,
    row.userId ?? row.subject ?? row.dbUser,
    changesOf(row),
  ])
  const shown =
    rows.length === 0
      ? 'the audit trail has no rows about this record'
      : table(['at', 'action', 'by', 'changes'], rows)
  cli.print(page, shown + moreOf(page.next))
  return 0
}

function prove(group: Command, perform: Parameters<Register>[1]): void {
  group
    .command('prove')
    .argument('<row>', 'id of an audit row, or of a security event with --log security_events')
    .description('print a proof of one row, verifiable with the public key alone')
    .option('--log <log>', 'audit_logs or security_events', 'audit_logs')
    .action((row: string) =>
      perform(async (cli) => {
        const { logNamed, proveRow } = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        const log = logNamed(String(cli.flags['log']))
        const bundle = await withConnections(cli, ({ pool, actor }) =>
          proveRow(pool('security_admin'), actor, log, row),
        )
        cli.print(bundle, JSON.stringify(bundle, null, 2))
        return 0
      }),
    )
  group
    .command('key')
    .description('print the public keys of checkpoint signatures, for audit check and for witnesses')
    .action(() =>
      perform(async (cli) => {
        const { readLogHeads, verifierKeys } = await import('../../audit/index.ts')
        const { formatVerifierKey } = await import('../../keys/index.ts')
        const { openKeys } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const keyring = await openKeys(await cli.config())
        try {
          const heads = await withConnections(cli, ({ pool, actor }) =>
            readLogHeads(pool('security_admin'), actor),
          )
          const keys = await Promise.all(
            heads.map(async ({ log, origin }) => ({
              log,
              origin,
              keys: (await verifierKeys(keyring)(origin)).map((key) => formatVerifierKey(key)),
            })),
          )
          cli.print({ keys }, keys.flatMap((log) => log.keys).join('\n'))
          return 0
        } finally {
          await keyring.close()
        }
      }),
    )
}

function check(group: Command, perform: Parameters<Register>[1]): void {
  group
    .command('check')
    .argument('<file>', 'a proof printed by audit prove, or a finding printed by detect bundle')
    .option('--key <key...>', 'one or more verifier keys, as printed by audit key')
    .addOption(new SettingOption('policy'))
    .description('verify a proof with the public key, or a policy, alone, without database or network')
    .action((file: string) =>
      perform(async (cli) => {
        const { checkProof, checkProofByPolicy, readPolicy } = await import('../../audit/index.ts')
        const { parseVerifierKey } = await import('../../keys/index.ts')
        const keys = ((cli.flags['key'] ?? []) as readonly string[]).map((key) => parseVerifierKey(key))
        const policy = keys.length > 0 ? undefined : (await cli.config()).policy
        if (keys.length === 0 && policy === undefined) {
          throw new AkashiError('invalid_input', 'no trusted keys were given', {
            hint: 'give --key, as printed by akashi audit key, or --policy',
          })
        }
        const bundle = await readBundle(file)
        const trusted = policy === undefined ? undefined : await readPolicy(policy)
        const checkOne = (each: unknown) =>
          trusted === undefined ? checkProof(each, keys) : checkProofByPolicy(each, trusted)
        if (typeof bundle === 'object' && bundle !== null && 'finding' in bundle) {
          const { checkFindingBundle } = await import('../../detection/index.ts')
          const found = checkFindingBundle(bundle, checkOne)
          cli.print(
            { ok: true, ...found },
            [
              `proven: finding ${found.id} of ${found.rule}, ${found.events} events${found.complete ? '' : ', which are not all'}, evaluated by ${found.runs} runs`,
              found.foundAgain
                ? 'the rule finds the same in these events'
                : 'the rule matches each of these events, but needs further events to find the same',
            ].join('\n'),
          )
          return 0
        }
        const proven = checkOne(bundle)
        cli.print(
          { ok: true, ...proven },
          `proven: row ${proven.id} of ${proven.at} is entry ${proven.position} of ${proven.origin}, sealed when it had ${proven.size}`,
        )
        return 0
      }),
    )
}

function losses(group: Command, perform: Parameters<Register>[1]): void {
  group
    .command('losses')
    .description(
      'list changes that were not recorded (tables protected with --on-failure record_loss); exits 1 if there are any',
    )
    .option('--settle <explanation>', 'mark the listed losses as settled; they stay on record')
    .action(() =>
      perform(async (cli) => {
        const { settleLosses, unsettledLosses } = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        return await withConnections(cli, async ({ pool, actor }) => {
          const owner = pool('owner')
          const { settle } = cli.flags
          const settled = typeof settle === 'string' ? await settleLosses(owner, actor, settle) : 0
          const found = await unsettledLosses(owner, actor)
          cli.print(
            { settled, losses: found },
            found.length === 0
              ? 'no unsettled losses'
              : table(
                  ['table', 'operation', 'statements', 'rows', 'last', 'cause'],
                  found.map((loss) => [
                    loss.table,
                    loss.operation,
                    String(loss.statements),
                    String(loss.rows),
                    loss.lastAt,
                    `${loss.sqlstate} ${loss.message}`,
                  ]),
                ),
          )
          return found.length === 0 ? 0 : 1
        })
      }),
    )
}

async function readBundle(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if (errno(error) === 'ENOENT')
      throw new AkashiError('not_found', `file not found: ${file}`, { cause: error })
    if (error instanceof SyntaxError) {
      throw new AkashiError('invalid_input', `${file} is not JSON`, {
        hint: 'create it with akashi audit prove',
        cause: error,
      })
    }
    throw error
  }
}

function camelCase(option: string): string {
  return option.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function epoch(group: Command, perform: Parameters<Register>[1]): void {
  group
    .command('epoch')
    .requiredOption('--reason <text>', 'one line; becomes part of the signed link')
    .description('open a new epoch of every log, after a restore or to accept lost entries')
    .action(() =>
      perform(async (cli) => {
        const { openEpoch } = await import('../../audit/index.ts')
        const { openKeys, openObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const config = await cli.config()
        const keyring = await openKeys(config)
        try {
          const store = await openObjects(config)
          const opened = await withConnections(
            cli,
            ({ pool, actor }) =>
              openEpoch(pool('worker'), actor, keyring, store, String(cli.flags['reason'])),
            keyring,
          )
          const epochs = opened.map(({ root, previousRoot, ...rest }) => ({
            ...rest,
            root: root.toString('base64'),
            previousRoot: previousRoot.toString('base64'),
          }))
          cli.print(
            { epochs },
            opened.length === 0
              ? 'no log has entries yet'
              : opened
                  .map(({ log, epoch: n, size }) => `${log}: epoch ${n} starts at size ${size}`)
                  .join('\n'),
          )
          return 0
        } finally {
          await keyring.close()
        }
      }),
    )
}

function recordCatalog(group: Command, perform: Parameters<Register>[1]): void {
  group
    .command('record-catalog')
    .requiredOption('--reason <text>', 'the reason, one line; recorded in the audit trail')
    .description(
      'record the current catalog after an administrator changed or restored the code of the record; raises a critical event',
    )
    .action(() =>
      perform(async (cli) => {
        const { recordCatalog: record } = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        await withConnections(cli, ({ pool, actor }) =>
          record(pool('owner'), actor, String(cli.flags['reason'])),
        )
        cli.print({ recorded: true }, 'recorded; verify accepts the changes made so far')
        return 0
      }),
    )
}

export const audit: Register = (program, perform) => {
  const group = program
    .command('audit')
    .description('search the audit trail, show the history of a record, prove a row')
  search(group, perform)
  history(group, perform)
  prove(group, perform)
  check(group, perform)
  epoch(group, perform)
  recordCatalog(group, perform)
  ledgerLists(group, perform)
  losses(group, perform)
}
