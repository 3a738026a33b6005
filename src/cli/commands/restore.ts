import { AkashiError } from '../../foundation/index.ts'
import type { Register } from '../invocation.ts'

const labels = { wal: 'WAL', files: 'files', recovery: 'recovery' } as const

export const restore: Register = (program, perform) => {
  program
    .command('restore')
    .description('bring the database back as it was, into a folder of its own')
    .requiredOption('--to <dir>', 'data folder to restore into; must not have a database')
    .option(
      '--at <point>',
      'latest, a time (2026-11-21T05:20:00Z), a position (0/16B3748), a transaction number or a restore point',
      'latest',
    )
    .option('--timeline <n>', 'timeline to end on (default: the one that goes on longest)')
    .option('--cluster <id>', 'which cluster, where the store has several')
    .action(() =>
      perform(async (cli) => {
        const { parseTarget, shellQuote } = await import('../../backup/index.ts')
        const start = await import('../../start/index.ts')
        const settings = await cli.config()
        const target = parseTarget(String(cli.flags['at']))
        const timeline = timelineOf(cli.flags['timeline'])
        const cluster = cli.flags['cluster'] === undefined ? undefined : String(cli.flags['cluster'])
        const started = performance.now()
        let phase: keyof typeof labels | undefined
        let bar = await cli.progress('restore', 100)
        const report = await start
          .withStoredBackups(settings, cluster, (vault) =>
            start.restore({
              settings,
              vault,
              target,
              ...(timeline === undefined ? {} : { timeline }),
              to: String(cli.flags['to']),
              walFetch: [
                ...start.programCommand.map(shellQuote),
                `wal-fetch --data ${shellQuote(settings.data)} --cluster ${vault.systemId} "%f" "%p"`,
              ].join(' '),
              signal: cli.signal,
              onProgress: (now, done, total) => {
                if (now !== phase) {
                  phase = now
                  bar.stop()
                  void cli.progress(labels[now], 100).then((next) => {
                    bar = next
                  })
                }
                bar.update((100 * done) / Math.max(1, total))
              },
            }),
          )
          .finally(() => bar.stop())
        const seconds = Math.round(performance.now() - started) / 1000
        const { reachedTime, tables, ...rest } = report
        cli.print(
          { ...rest, reached: reachedTime, seconds, tables },
          [
            `restored to ${reachedTime ?? 'the end of the backup'} (${report.reachedLsn}) in ${seconds.toFixed(1)} s: ${report.rows} rows`,
            `PostgreSQL serves it; akashi up --data ${String(cli.flags['to'])} takes over from there`,
          ].join('\n'),
        )
        return 0
      }),
    )
}

function timelineOf(value: unknown): number | undefined {
  if (value === undefined) return undefined
  const timeline = Number(value)
  if (Number.isInteger(timeline) && timeline > 0) return timeline
  throw new AkashiError('invalid_input', `${String(value)} is no timeline`, { hint: 'a whole number from 1' })
}
