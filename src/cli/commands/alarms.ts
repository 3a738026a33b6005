import { type Alarm, type AlarmDefinition, alarmSeverities } from '@akashi/contract'
import type { Command } from 'commander'
import type { Perform, Register } from '../invocation.ts'

export const alarms: Register = (program, perform) => {
  const group = program
    .command('alarms')
    .description('alarms and how to resolve them: list, history, acknowledge, silence')
  open(group, perform)
  history(group, perform)
  conditions(group, perform)
  acknowledge(group, perform)
  silence(group, perform)
}

function open(group: Command, perform: Perform): void {
  group
    .command('list', { isDefault: true })
    .description('list open alarms and how to resolve them; exits 1 while one is open and not silenced')
    .action(() =>
      perform(async (cli) => {
        const { alarmsLookedAt, definitionOf, isCondition, openAlarms } = await import(
          '../../operations/index.ts'
        )
        const { withConnections } = await import('../databases.ts')
        const { found, lookedAt } = await withConnections(cli, async ({ pool, actor }) => ({
          found: await openAlarms(pool('worker'), actor),
          lookedAt: await alarmsLookedAt(pool('worker'), actor),
        }))
        const lines = found.map((alarm) =>
          describeAlarm(alarm, isCondition(alarm.condition) ? definitionOf(alarm.condition) : undefined),
        )
        const ending =
          lookedAt === null
            ? 'no worker has checked yet: start akashi up or akashi work'
            : `last checked at ${lookedAt}`
        cli.print(
          { alarms: found, lookedAt },
          [...(lines.length === 0 ? ['no alarm is open'] : lines), ending].join('\n'),
        )
        return found.some(({ silenced }) => !silenced) ? 1 : 0
      }),
    )
}

/** Alarms with their evidence, remedies and assignees. */
function describeAlarm(
  { id, condition, severity, detail, openedAt, acknowledgedAt, acknowledgedBy, note, silenced }: Alarm,
  known: Omit<AlarmDefinition, 'open'> | undefined,
): string {
  const state = [
    ...(acknowledgedAt === null
      ? []
      : [`acknowledged by ${acknowledgedBy}${note === null ? '' : `: ${note}`}`]),
    ...(silenced ? ['silenced'] : []),
  ]
  return [
    `${severity.toUpperCase()} ${known?.title.en ?? condition}${state.length === 0 ? '' : ` (${state.join('; ')})`}`,
    `  ${detail}`,
    ...(known === undefined ? [] : [`  do: ${known.action.en}`, `  see ${known.runbook}`]),
    `  since ${openedAt}${acknowledgedAt === null ? `; akashi alarms acknowledge ${id}` : ''}`,
  ].join('\n')
}

function history(group: Command, perform: Perform): void {
  group
    .command('history')
    .argument('[condition]')
    .option('--limit <n>', 'maximum number of alarms', '50')
    .description('list alarms that are or were open, newest first')
    .action((condition: string | undefined) =>
      perform(async (cli) => {
        const { alarmHistory } = await import('../../operations/index.ts')
        const { given } = await import('../../foundation/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const limit = await wholeNumber(cli.flags['limit'], '--limit')
        const { rows, next } = await withConnections(cli, ({ pool, actor }) =>
          alarmHistory(pool('worker'), actor, { limit, ...given({ condition }) }),
        )
        cli.print(
          { rows, next },
          rows.length === 0
            ? 'no alarm has been raised yet'
            : table(
                ['opened', 'cleared', 'severity', 'alarm', 'detail'],
                rows.map((row) => [
                  row.openedAt,
                  row.clearedAt ?? 'open',
                  row.severity,
                  row.condition,
                  row.detail,
                ]),
              ),
        )
        return 0
      }),
    )
}

function conditions(group: Command, perform: Perform): void {
  group
    .command('conditions')
    .description('list the conditions that raise alarms, with their limits')
    .action(() =>
      perform(async (cli) => {
        const { listConditions } = await import('../../operations/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const found = await withConnections(cli, ({ pool, actor }) => listConditions(pool('worker'), actor))
        const weight = (severity: (typeof alarmSeverities)[number]) => -alarmSeverities.indexOf(severity)
        const rows = found
          .toSorted((a, b) => weight(a.severity) - weight(b.severity))
          .map((each) => [each.severity, each.name, each.open, each.setting, each.title.en])
        cli.print({ conditions: found }, table(['severity', 'condition', 'open', 'limit', ''], rows))
        return 0
      }),
    )
}

function acknowledge(group: Command, perform: Perform): void {
  group
    .command('acknowledge')
    .argument('<id>', 'as listed by akashi alarms')
    .option('--note <text>', 'what is being done; recorded')
    .description('acknowledge an open alarm: record that you are working on it')
    .action((id: string) =>
      perform(async (cli) => {
        const { acknowledgeAlarm } = await import('../../operations/index.ts')
        const { withSignedConnections } = await import('../databases.ts')
        const { note } = cli.flags
        await withSignedConnections(cli, ({ pool, actor }) =>
          acknowledgeAlarm(pool('worker'), actor, id, typeof note === 'string' ? note : undefined),
        )
        cli.print({ acknowledged: id }, 'acknowledged; it stays open until its condition no longer holds')
        return 0
      }),
    )
}

function silence(group: Command, perform: Perform): void {
  group
    .command('silence')
    .argument('<condition>', 'as listed by akashi alarms conditions')
    .requiredOption('--hours <n>', 'duration in hours, at most 2160')
    .requiredOption('--reason <text>', 'recorded in the audit trail')
    .option('--subject <text>', 'only for this subject')
    .description('silence alarms of a condition for a time: they open and clear without a security event')
    .action((condition: string) =>
      perform(async (cli) => {
        const { silenceAlarms } = await import('../../operations/index.ts')
        const { given } = await import('../../foundation/index.ts')
        const { withSignedConnections } = await import('../databases.ts')
        const { subject } = cli.flags
        const hours = await wholeNumber(cli.flags['hours'], '--hours')
        const until = new Date(Date.now() + hours * HOUR_MS)
        const id = await withSignedConnections(cli, ({ pool, actor }) =>
          silenceAlarms(pool('worker'), actor, {
            condition,
            until,
            reason: String(cli.flags['reason']),
            ...given({ subject: typeof subject === 'string' ? subject : undefined }),
          }),
        )
        cli.print(
          { id, condition, until: until.toISOString() },
          `silenced until ${until.toISOString()}; akashi alarms unsilence ${id} ends it`,
        )
        return 0
      }),
    )
  group
    .command('silences')
    .description('list silences, current ones first')
    .action(() =>
      perform(async (cli) => {
        const { listSilences } = await import('../../operations/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const found = await withConnections(cli, ({ pool, actor }) => listSilences(pool('worker'), actor))
        cli.print(
          { silences: found },
          found.length === 0
            ? 'nothing is silenced'
            : table(
                ['id', 'condition', 'subject', 'until', 'by', 'reason'],
                found.map((each) => [
                  each.id,
                  each.condition,
                  each.subject ?? 'all',
                  each.endedAt === null ? each.until : `ended ${each.endedAt}`,
                  each.createdBy,
                  each.reason,
                ]),
              ),
        )
        return 0
      }),
    )
  group
    .command('unsilence')
    .argument('<id>')
    .description('end a silence early')
    .action((id: string) =>
      perform(async (cli) => {
        const { endSilence } = await import('../../operations/index.ts')
        const { withSignedConnections } = await import('../databases.ts')
        await withSignedConnections(cli, ({ pool, actor }) => endSilence(pool('worker'), actor, id))
        cli.print({ ended: id }, 'ended; alarms that are still open are announced within a minute')
        return 0
      }),
    )
}

const HOUR_MS = 3_600_000

async function wholeNumber(text: unknown, flag: string): Promise<number> {
  if (typeof text === 'string' && /^[1-9]\d{0,3}$/.test(text)) return Number(text)
  const { AkashiError } = await import('../../foundation/index.ts')
  throw new AkashiError('invalid_input', `${flag} must be a whole number from 1 to 9999`)
}
