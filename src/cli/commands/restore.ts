import type { BackupStore, Target } from '../../backup/index.ts'
import { AkashiError, given, parseTableName } from '../../foundation/index.ts'
import type { Keyring } from '../../keys/index.ts'
import type { Actor } from '../../postgres/index.ts'
import type { RestoreReport, Settings } from '../../start/index.ts'
import type { Invocation, Register } from '../invocation.ts'
import { takeOverOption } from '../setting-option.ts'
import type { ExitStatus } from '../world.ts'

const labels = { wal: 'WAL', files: 'files', recovery: 'recovery' } as const

interface Request {
  readonly settings: Settings
  readonly backupStore: BackupStore
  readonly keyring: Keyring
  readonly actor: Actor
  readonly target: Target
  readonly timeline?: number
  readonly binaries?: string
  readonly signal: AbortSignal
  readonly onProgress: (phase: keyof typeof labels, done: number, total: number) => void
}

export const restore: Register = (program, perform) => {
  program
    .command('restore')
    .description('restore the whole cluster into a new data folder (--to), or a single table (--table)')
    .option('--to <dir>', 'data folder for the restored cluster; must not contain a database')
    .option(
      '--at <point>',
      'latest, a time (2026-11-21T05:20:00Z), a WAL position (0/16B3748), a transaction id or a restore point',
      'latest',
    )
    .option('--timeline <n>', 'timeline to restore (default: the one that extends furthest)')
    .option(
      '--binaries <dir>',
      'folder with the server of the backup’s major version (default: where packages install it)',
    )
    .option(...takeOverOption)
    .option('--cluster <id>', 'system id of the cluster, if the store has several')
    .option('--no-check', 'skip the checks of the restored cluster (indexes, tables, ledger)')
    .option('--table <schema.table>', 'restore only this table, from the backups of the running database')
    .option('--into <schema.table>', 'new table for the restored rows; existing tables are never overwritten')
    .option('--diff', 'show how the restored rows differ from the current ones')
    .option('--apply', 'write missing and changed rows back to the current table; requires --reason')
    .option('--reason <text>', 'for --apply; recorded in the audit trail')
    .action(() =>
      perform(async (cli) => {
        const { parseTarget } = await import('../../backup/index.ts')
        const { withStoredBackups } = await import('../../start/index.ts')
        const settings = await cli.config()
        const target = parseTarget(String(cli.flags['at']))
        const timeline = timelineOf(cli.flags['timeline'])
        const cluster = textOf(cli, 'cluster')
        const binaries = textOf(cli, 'binaries')
        const work = chooseWork(cli)
        const progress = await follow(cli)
        const actor = await cli.actor()
        return await withStoredBackups(settings, cluster, (backupStore, keyring) =>
          work(cli, {
            settings,
            backupStore,
            keyring,
            actor,
            target,
            ...given({ timeline, binaries }),
            signal: cli.signal,
            onProgress: progress.update,
          }),
        ).finally(progress.stop)
      }),
    )
}

function chooseWork(cli: Invocation): (cli: Invocation, request: Request) => Promise<ExitStatus> {
  const table = textOf(cli, 'table')
  const to = textOf(cli, 'to')
  if ((table === undefined) === (to === undefined)) {
    throw new AkashiError('invalid_input', 'give either --to or --table', {
      hint: '--to DIR restores the whole cluster; --table TABLE with --into, --diff or --apply restores one table',
    })
  }
  return to === undefined ? restoreOne : restoreAll
}

async function restoreAll(cli: Invocation, request: Request): Promise<ExitStatus> {
  const { shellQuote } = await import('../../backup/index.ts')
  const { programCommand, restore: bring } = await import('../../start/index.ts')
  const { settings, backupStore } = request
  const to = textOf(cli, 'to') ?? ''
  const started = performance.now()
  const report = await bring({
    ...request,
    to,
    check: cli.flags['check'] !== false,
    takeOver: cli.flags['takeOver'] === true,
    walFetch: [
      ...programCommand.map(shellQuote),
      `wal-fetch --data ${shellQuote(settings.data)} --cluster ${backupStore.systemId} "%f" "%p"`,
    ].join(' '),
  })
  const seconds = secondsSince(started)
  const { reachedTime, tables, checks, ...rest } = report
  cli.print(
    { ...rest, reached: reachedTime, seconds, checks, tables },
    [
      `restored to ${reachedTime ?? 'the end of the backup'} (${report.reachedLsn}) in ${seconds.toFixed(1)} s: ${report.rows} rows`,
      ...(checks === null ? ['not checked'] : checks.lines),
      ...remarks(report),
      `start it with akashi up --data ${to}`,
      ...(cli.flags['takeOver'] === true
        ? ['it owns the object store now']
        : ['it only reads the object store, which belongs to the original; see --take-over']),
    ].join('\n'),
  )
  return checks?.ok === false ? 1 : 0
}

/** What differs from the source, and what is left to do. */
function remarks({ prepared, subscriptions, leftOut }: RestoreReport): string[] {
  const told = [
    [prepared, 'prepared transactions hold their locks; commit or roll back'],
    [subscriptions, 'subscriptions are disabled, so that the original keeps its changes'],
    [leftOut, 'settings of the source that prevent the server from starting here were left out'],
  ] as const
  return told.flatMap(([names, what]) => (names.length === 0 ? [] : [`${what}: ${names.join(', ')}`]))
}

async function restoreOne(cli: Invocation, request: Request): Promise<ExitStatus> {
  const { restoreTable } = await import('../../start/index.ts')
  const table = parseTableName(textOf(cli, 'table') ?? '')
  const into = textOf(cli, 'into')
  const apply = cli.flags['apply'] === true
  const diff = cli.flags['diff'] === true
  if (into === undefined && !diff && !apply) {
    throw new AkashiError('invalid_input', '--table requires --into, --diff or --apply', {
      hint: '--into NEW restores it into a new table, --diff compares, --apply writes rows back',
    })
  }
  const started = performance.now()
  const restored = await restoreTable({
    ...request,
    table,
    ...(into === undefined ? {} : { into: parseTableName(into, table.schema) }),
    diff,
    ...(apply ? { apply: { reason: textOf(cli, 'reason') ?? '' } } : {}),
  })
  const seconds = secondsSince(started)
  const { table: source, into: copy, reachedTime, difference, applied, ...rest } = restored
  cli.print(
    {
      table: copy ?? source,
      source,
      into: copy,
      ...rest,
      reached: reachedTime,
      seconds,
      difference,
      applied,
    },
    [
      `${source} as of ${reachedTime ?? 'the backup'} (${restored.reachedLsn}): ${restored.rows} rows in ${seconds.toFixed(1)} s`,
      ...(copy === null ? [] : [`restored into ${copy}`]),
      ...(difference === null
        ? []
        : [
            `missing now: ${difference.missing}, changed: ${difference.changed}, added since: ${difference.added}`,
            ...difference.rows.map(
              ({ kind, key, before, now }) =>
                `  ${kind} ${JSON.stringify(key)}${before === null || now === null ? '' : `: ${JSON.stringify(before)} is now ${JSON.stringify(now)}`}`,
            ),
            ...difference.uncompared.map((name) => `  column ${name} is not compared`),
          ]),
      ...(applied === null ? [] : [`applied: ${applied.inserted} rows inserted, ${applied.updated} updated`]),
      ...restored.foreignKeys.map((key) => `foreign key not created on the new table: ${key}`),
      ...restored.notes,
    ].join('\n'),
  )
  return 0
}

async function follow(cli: Invocation): Promise<{ update: Request['onProgress']; stop: () => void }> {
  let phase: keyof typeof labels | undefined
  let bar = await cli.progress('restore', 100)
  return {
    update: (now, done, total) => {
      if (now !== phase) {
        phase = now
        bar.stop()
        void cli.progress(labels[now], 100).then((next) => {
          bar = next
        })
      }
      bar.update((100 * done) / Math.max(1, total))
    },
    stop: () => bar.stop(),
  }
}

function textOf(cli: Invocation, flag: string): string | undefined {
  const value = cli.flags[flag]
  return value === undefined ? undefined : String(value)
}

function secondsSince(started: number): number {
  return Math.round(performance.now() - started) / 1000
}

function timelineOf(value: unknown): number | undefined {
  if (value === undefined) return undefined
  const timeline = Number(value)
  if (Number.isInteger(timeline) && timeline > 0) return timeline
  throw new AkashiError('invalid_input', `${String(value)} is not a valid --timeline`, {
    hint: 'give a whole number of at least 1',
  })
}
