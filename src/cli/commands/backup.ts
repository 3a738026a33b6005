import type { Invocation, Register } from '../invocation.ts'
import type { ExitStatus } from '../world.ts'

const MEBIBYTE = 1024 * 1024

function cluster(cli: Invocation): string | undefined {
  const value = cli.flags['cluster']
  return value === undefined ? undefined : String(value)
}

function size(bytes: number): string {
  return `${(bytes / MEBIBYTE).toFixed(1)} MiB`
}

export const backup: Register = (program, perform) => {
  const group = program.command('backup').description('back up the whole cluster to the object store')
  for (const kind of ['full', 'incremental'] as const) {
    group
      .command(kind)
      .description(
        kind === 'full'
          ? 'take a full backup'
          : 'back up what changed since the previous backup (PostgreSQL 17 and newer)',
      )
      .action(() =>
        perform(async (cli) => {
          const { runBackup } = await import('../../backup/index.ts')
          const { recordDamage } = await import('../../operations/index.ts')
          const { withRunningBackups } = await import('../../start/index.ts')
          const started = performance.now()
          const taken = await withRunningBackups(
            await cli.config(),
            await cli.actor(),
            async ({ backupStore, source, worker, actor }) => {
              const bar = await cli.progress(kind, 100)
              try {
                const manifest = await runBackup(backupStore, source, kind, {
                  signal: cli.signal,
                  onProgress: (done, total) => bar.update(Math.min(100, (100 * done) / total)),
                })
                await recordDamage(worker, actor, manifest)
                return manifest
              } finally {
                bar.stop()
              }
            },
          )
          const { id, parent, bytes, stored, startLsn, endLsn, timeline, damaged = [] } = taken
          const seconds = Math.round(performance.now() - started) / 1000
          cli.print(
            { id, kind, parent, bytes, stored, startLsn, endLsn, timeline, seconds, damaged },
            [
              `${id}: ${size(bytes)} in ${size(stored)}, ${seconds.toFixed(1)} s`,
              ...damaged.map((page) => `damaged on the server: ${page}`),
            ].join('\n'),
          )
          return damaged.length === 0 ? 0 : 1
        }),
      )
  }
  group
    .command('stream')
    .description('stream WAL to the store until stopped; akashi up and akashi work do this themselves')
    .action(() =>
      perform(async (cli) => {
        const { protectCluster } = await import('../../backup/index.ts')
        const { formatLsn } = await import('../../postgres/index.ts')
        const { withRunningBackups } = await import('../../start/index.ts')
        const log = await cli.log()
        let last = ''
        await withRunningBackups(await cli.config(), await cli.actor(), ({ backupStore, source }) =>
          protectCluster(backupStore, source, {
            signal: cli.signal,
            log,
            onEvent: (event) => {
              if (event.kind === 'flushed') last = formatLsn(event.lsn)
              if (event.kind === 'started') {
                cli.note(`streaming timeline ${event.timeline} from ${formatLsn(event.start)}`)
              }
            },
          }),
        )
        cli.print({ flushed: last }, `WAL is stored up to ${last}`)
        return 0
      }),
    )
  group
    .command('stop')
    .description('stop keeping WAL for backups on the server, when backups are no longer wanted')
    .requiredOption(
      '--drop-slot',
      'drop the replication slot; the next stream starts with a gap and a full backup',
    )
    .action(() =>
      perform(async (cli) => {
        const { dropSlot } = await import('../../backup/index.ts')
        const { withConnections } = await import('../databases.ts')
        const dropped = await withConnections(cli, ({ pool }) => dropSlot(pool('backup')))
        cli.print(
          { dropped },
          dropped
            ? 'the replication slot is gone; no WAL is kept for backups'
            : 'there is no replication slot',
        )
        return 0
      }),
    )
  group
    .command('list')
    .description('list backups and restorable periods; reads only the store')
    .option('--cluster <id>', 'system id of the cluster, if the store has several')
    .action(() =>
      perform(async (cli) => {
        const { describeCatalog, readCatalog } = await import('../../backup/index.ts')
        const { withStoredBackups } = await import('../../start/index.ts')
        const catalog = await withStoredBackups(await cli.config(), cluster(cli), (backupStore) =>
          readCatalog(backupStore, cli.signal),
        )
        const { table } = await import('../output/table.ts')
        const found = describeCatalog(catalog)
        const rows = catalog.backups.map((one) => [
          one.id,
          one.kind,
          one.stoppedAt,
          one.timeline,
          one.startLsn,
          size(one.stored),
        ])
        const windows = found.intervals.map(({ from, to }) => `restorable: ${from} to ${to}`)
        cli.print(
          found,
          [
            table(['backup', 'kind', 'taken', 'timeline', 'start', 'stored'], rows),
            ...windows,
            ...catalog.backups.flatMap(({ id, damaged = [] }) =>
              damaged.map((page) => `damaged on the server when ${id} was taken: ${page}`),
            ),
            ...catalog.problems.map(({ detail }) => `problem: ${detail}`),
          ].join('\n'),
        )
        return catalog.problems.length > 0 ? 1 : 0
      }),
    )
  group
    .command('verify')
    .description('read and check every backup object; exits 1 if one is damaged or missing')
    .option('--cluster <id>', 'system id of the cluster, if the store has several')
    .action(() =>
      perform(async (cli) => {
        const { verifyBackups } = await import('../../backup/index.ts')
        const { withStoredBackups } = await import('../../start/index.ts')
        const bar = await cli.progress('verify', 100)
        const found = await withStoredBackups(await cli.config(), cluster(cli), (backupStore) =>
          verifyBackups(backupStore, {
            signal: cli.signal,
            onProgress: (done, total) => bar.update(Math.min(100, (100 * done) / total)),
          }),
        ).finally(() => bar.stop())
        const lines = [
          `read ${found.backups} backups and ${found.walPieces} WAL objects, ${size(found.bytes)}: ${found.ok ? 'no problems' : 'damaged'}`,
          ...found.problems.map(({ object, detail }) => `  ${object}: ${detail}`),
          ...found.gaps.map(
            ({ timeline, from, to, declared }) =>
              `  WAL of timeline ${timeline} is missing from ${from} to ${to}${declared ? ' (the server removed it before it was uploaded, as reported then)' : ': objects are missing'}`,
          ),
        ]
        cli.print(found, lines.join('\n'))
        return found.ok ? 0 : 1
      }),
    )
  group
    .command('prune')
    .description('delete backups and WAL past their retention')
    .option('--dry-run', 'only show what would be deleted')
    .action(() =>
      perform(async (cli) => {
        const { pruneBackups } = await import('../../backup/index.ts')
        const { requireApproval } = await import('../../identity/index.ts')
        const { readBackupSettings } = await import('../../operations/index.ts')
        const { withRunningBackups } = await import('../../start/index.ts')
        const dryRun = cli.flags['dryRun'] === true
        const pruned = await withRunningBackups(
          await cli.config(),
          await cli.actor(),
          async ({ backupStore, worker, actor }) => {
            if (!dryRun) await requireApproval(worker, actor, 'prune_backups')
            const { retentionDays, incrementalHours, hold } = await readBackupSettings(worker, actor)
            return pruneBackups(backupStore, {
              retentionDays,
              incrementalHours,
              hold,
              dryRun,
              signal: cli.signal,
            })
          },
        )
        cli.print(
          { dryRun, ...pruned },
          `${dryRun ? 'would delete' : 'deleted'} ${pruned.backups.length} backups, ${pruned.objects.length} objects`,
        )
        return 0
      }),
    )
  group
    .command('point')
    .argument('<name>')
    .description('create a named restore point')
    .action((name: string) =>
      perform(async (cli) => {
        const { createRestorePoint } = await import('../../backup/index.ts')
        const { withRunningBackups } = await import('../../start/index.ts')
        const lsn = await withRunningBackups(await cli.config(), await cli.actor(), ({ source }) =>
          createRestorePoint(source.database, name),
        )
        cli.print({ name, lsn }, `created restore point ${name} at ${lsn}`)
        return 0
      }),
    )
  group
    .command('rewrap')
    .description(
      're-encrypt the data keys of all backups for the current recipients; backups are not rewritten',
    )
    .action(() =>
      perform(async (cli) => {
        const { withRunningBackups } = await import('../../start/index.ts')
        const keys = await withRunningBackups(await cli.config(), await cli.actor(), ({ backupStore }) =>
          backupStore.keys.rewrap(cli.signal),
        )
        cli.print({ keys }, `re-encrypted ${keys} data keys`)
        return 0
      }),
    )
  group
    .command('audit-copy')
    .description(
      'copy the audit rows sealed since the last copy; copies are independent of the backups and kept for years',
    )
    .option('--list', 'list the copies instead')
    .option('--read <id>', 'write the rows of a copy to a new file (--out), one JSON object per line')
    .option('--out <file>', 'file to write')
    .option('--cluster <id>', 'system id of the cluster, if the store has several')
    .action(() =>
      perform(async (cli) => {
        const settings = await cli.config()
        const { list, read } = cli.flags
        if (list === true || read !== undefined) {
          const { listAuditCopies, readAuditCopy } = await import('../../backup/index.ts')
          const { AkashiError } = await import('../../foundation/index.ts')
          const { withStoredBackups } = await import('../../start/index.ts')
          return await withStoredBackups(settings, cluster(cli), async (backupStore): Promise<ExitStatus> => {
            const copies = await listAuditCopies(backupStore, cli.signal)
            if (read !== undefined) {
              const copy = copies.find(({ id }) => id === read)
              if (copy === undefined) {
                throw new AkashiError('not_found', `audit copy not found: ${String(read)}`, {
                  hint: 'list them with akashi backup audit-copy --list',
                })
              }
              const { out } = cli.flags
              if (out === undefined) {
                throw new AkashiError('invalid_input', '--read requires --out', {
                  hint: 'add --out FILE',
                })
              }
              const { createWriteStream } = await import('node:fs')
              const { pipeline } = await import('node:stream/promises')
              await pipeline(
                readAuditCopy(backupStore, copy, { signal: cli.signal }),
                createWriteStream(String(out), { flags: 'wx', mode: 0o600 }),
              )
              cli.print({ id: copy.id, file: out, logs: copy.manifest?.logs ?? [] }, `wrote ${String(out)}`)
              return 0
            }
            const { table } = await import('../output/table.ts')
            const rows = copies.map(({ id, tiers, manifest, problem }) => [
              id,
              tiers.join(', '),
              manifest?.logs.reduce((sum, log) => sum + log.rows, 0) ?? null,
              problem,
            ])
            cli.print({ copies }, table(['copy', 'tiers', 'rows', 'problem'], rows))
            return 0
          })
        }
        const { takeAuditLogCopy } = await import('../../start/index.ts')
        const taken = await takeAuditLogCopy(settings, await cli.actor(), cli.signal)
        const rows = taken.logs.reduce((sum, log) => sum + log.rows, 0)
        cli.print(taken, `${taken.id}: ${rows} rows, ${size(taken.bytes)}`)
        return 0
      }),
    )
}
