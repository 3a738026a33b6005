import type { Command } from 'commander'
import type { Discrepancy, Gap } from '../../audit/index.ts'
import type { Invocation, Register } from '../invocation.ts'
import { limitOf } from './pages.ts'

type Perform = Parameters<Register>[1]

function listed(cli: Invocation) {
  return { all: cli.flags['all'] === true, ...limitOf(cli) }
}

function describe({ id, foundAt, kind, detail, login, settledAt, explanation }: Discrepancy): string {
  const settled = settledAt === null ? '' : `\n  settled ${settledAt}: ${explanation}`
  return `${foundAt}  ${kind}  ${id}\n  ${detail} (login ${login})${settled}`
}

function describeGap({
  id,
  startedAt,
  startLsn,
  endLsn,
  cause,
  detail,
  settledAt,
  explanation,
}: Gap): string {
  const settled = settledAt === null ? '' : `\n  settled ${settledAt}: ${explanation}`
  return `${startedAt}  ${cause}  ${id}\n  ${startLsn ?? 'the beginning'} to ${endLsn ?? 'now'}: ${detail}${settled}`
}

function status(group: Command, perform: Perform): void {
  group
    .command('status')
    .description(
      'show how far the write-ahead log has been compared with the trail; exits 1 if the comparison is not running or anything is unsettled',
    )
    .action(() =>
      perform(async (cli) => {
        const { crosscheckStatus } = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        const found = await withConnections(cli, ({ pool, actor }) => crosscheckStatus(pool('worker'), actor))
        const { state, comparedLsn, comparedAt, lagBytes, transactions, changes, discrepancies, gaps } = found
        cli.print(
          found,
          [
            `${state}${comparedLsn === null ? '' : `, compared up to ${comparedLsn} at ${comparedAt}`}${lagBytes === null ? '' : `, ${lagBytes} bytes behind`}`,
            `${transactions} transactions with ${changes} changes compared`,
            `${discrepancies} discrepancies and ${gaps} gaps are not settled`,
          ].join('\n'),
        )
        return state === 'running' && discrepancies === 0 ? 0 : 1
      }),
    )
}

function discrepancies(group: Command, perform: Perform): void {
  group
    .command('discrepancies')
    .description(
      'list differences between the trail, the tables and the write-ahead log, newest first; exits 1 if there are any',
    )
    .option('--all', 'include settled ones')
    .option('--limit <n>', 'maximum number of rows')
    .action(() =>
      perform(async (cli) => {
        const { listDiscrepancies } = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        const found = await withConnections(cli, ({ pool, actor }) =>
          listDiscrepancies(pool('security_admin'), actor, listed(cli)),
        )
        cli.print(
          { discrepancies: found },
          found.length === 0 ? 'no discrepancies' : found.map(describe).join('\n'),
        )
        return found.some(({ settledAt }) => settledAt === null) ? 1 : 0
      }),
    )
}

function gaps(group: Command, perform: Perform): void {
  group
    .command('gaps')
    .description('list ranges of the write-ahead log that were not compared, newest first')
    .option('--all', 'include settled ones')
    .option('--limit <n>', 'maximum number of rows')
    .action(() =>
      perform(async (cli) => {
        const { listGaps } = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        const found = await withConnections(cli, ({ pool, actor }) =>
          listGaps(pool('security_admin'), actor, listed(cli)),
        )
        cli.print({ gaps: found }, found.length === 0 ? 'no gaps' : found.map(describeGap).join('\n'))
        return 0
      }),
    )
}

function settle(group: Command, perform: Perform): void {
  group
    .command('settle')
    .argument('[ids...]', 'ids of discrepancies and gaps (default: all unsettled ones)')
    .description('settle discrepancies and ended gaps with an explanation; they stay on record')
    .requiredOption('--explanation <text>', 'what happened, in one line')
    .action((ids: string[]) =>
      perform(async (cli) => {
        const { settleDiscrepancies } = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        const explanation = String(cli.flags['explanation'])
        const settled = await withConnections(cli, ({ pool, actor }) =>
          settleDiscrepancies(pool('security_admin'), actor, explanation, ...(ids.length === 0 ? [] : [ids])),
        )
        cli.print({ settled }, `${settled} settled`)
        return 0
      }),
    )
}

function repair(group: Command, perform: Perform): void {
  group
    .command('repair')
    .description(
      'repair the publication and the replication slot after they were dropped or altered; changes that were not compared become a gap',
    )
    .action(() =>
      perform(async (cli) => {
        const { repairCrosscheck } = await import('../../audit/index.ts')
        const { withConnections } = await import('../databases.ts')
        const repaired = await withConnections(cli, ({ pool, actor }) =>
          repairCrosscheck(pool('backup'), pool('owner'), pool('worker'), actor),
        )
        cli.print(
          { repaired },
          repaired.length === 0
            ? 'nothing to repair'
            : [
                ...repaired.map((what) => `repaired: ${what}`),
                'changes made meanwhile were not compared: see akashi crosscheck gaps, and run akashi verify --state',
              ].join('\n'),
        )
        return 0
      }),
    )
}

export const crosscheck: Register = (program, perform) => {
  const group = program.command('crosscheck').description('compare the audit trail with the write-ahead log')
  status(group, perform)
  discrepancies(group, perform)
  settle(group, perform)
  repair(group, perform)
  gaps(group, perform)
}
