import type { Register } from '../invocation.ts'

/** Earlier times come from clocks that were never set, as in `akashi ingest`. */
const EARLIEST = new Date('2000-01-01T00:00:00Z')

export const quarantine: Register = (program, perform) => {
  const group = program.command('quarantine').description('log lines that were rejected')

  group
    .command('list')
    .description('count rejected lines by reason')
    .action(() =>
      perform(async (cli) => {
        const { listQuarantine } = await import('../../security/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const found = await withConnections(cli, ({ pool, actor }) => listQuarantine(pool('worker'), actor))
        const rows = found.map(({ source, format, reason, lines }) => [lines, format, source, reason])
        cli.print({ rejected: found }, table(['lines', 'format', 'source', 'reason'], rows))
        return 0
      }),
    )

  group
    .command('replay')
    .description('ingest rejected lines again, after an upgrade or when a clock was wrong')
    .action(() =>
      perform(async (cli) => {
        const { replayQuarantine } = await import('../../security/index.ts')
        const { withConnections } = await import('../databases.ts')
        const result = await withConnections(cli, ({ pool, actor }) =>
          replayQuarantine(pool('worker'), actor, {
            asOf: new Date(),
            earliest: EARLIEST,
            signal: cli.signal,
          }),
        )
        cli.print(
          result,
          `${result.read} lines read again, ${result.accepted} accepted; ${result.stored} events stored`,
        )
        return 0
      }),
    )
}
