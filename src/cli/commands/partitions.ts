import { AkashiError } from '../../foundation/index.ts'
import type { Invocation, Register } from '../invocation.ts'

function asOf(cli: Invocation): Date | undefined {
  const value = cli.flags['asOf']
  if (value === undefined) return undefined
  const time = new Date(String(value))
  if (Number.isNaN(time.getTime())) {
    throw new AkashiError('invalid_input', `${String(value)} is not a valid time`, {
      hint: 'write it as 2026-12-31T00:00:00Z',
    })
  }
  return time
}

export const partitions: Register = (program, perform) => {
  const group = program.command('partitions').description('create partitions ahead of time, as policies say')
  for (const verb of ['plan', 'apply'] as const) {
    group
      .command(verb)
      .description(
        verb === 'plan'
          ? 'list missing partitions and the locks that creating them takes'
          : 'create missing partitions',
      )
      .option('--as-of <time>', 'act as if it were this time')
      .action(() =>
        perform(async (cli) => {
          const lifecycle = await import('../../lifecycle/index.ts')
          const { withConnections } = await import('../databases.ts')
          const { table } = await import('../output/table.ts')
          const work = verb === 'plan' ? lifecycle.planPartitions : lifecycle.applyPartitions
          const tables = await withConnections(cli, ({ pool, actor }) =>
            work(pool('worker'), actor, asOf(cli), { signal: cli.signal }),
          )
          const rows = tables.map((row) => [
            row.action,
            row.table,
            row.partition,
            row.from,
            row.to,
            row.message,
            ...(verb === 'plan' ? [row.locks] : []),
          ])
          cli.print(
            { tables },
            tables.length === 0
              ? 'nothing is missing'
              : table(
                  ['action', 'table', 'partition', 'from', 'to', '', ...(verb === 'plan' ? ['locks'] : [])],
                  rows,
                ),
          )
          return tables.some(({ action }) => action === 'failed') ? 1 : 0
        }),
      )
  }
  group
    .command('status')
    .description('show how far ahead every table has partitions; exits 1 if one is about to run out')
    .action(() =>
      perform(async (cli) => {
        const { partitionStatus } = await import('../../lifecycle/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const tables = await withConnections(cli, ({ pool, actor }) =>
          partitionStatus(pool('worker'), actor, undefined, { signal: cli.signal }),
        )
        const rows = tables.map((t) => [
          t.alarm ? 'ALARM' : 'ok',
          t.table,
          t.interval,
          t.partitions,
          t.coveredUntil,
        ])
        cli.print({ tables }, table(['', 'table', 'interval', 'partitions', 'covered until'], rows))
        return tables.some(({ alarm }) => alarm) ? 1 : 0
      }),
    )
}
