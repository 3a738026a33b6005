import type { Command } from 'commander'
import { AkashiError } from '../../foundation/index.ts'
import type { Bucket, EventRow } from '../../security/index.ts'
import type { Invocation, Register } from '../invocation.ts'

type Filters = readonly (readonly [option: string, field: string, meaning: string])[]

/** Command line option → field of the filter, description. */
const filters: Filters = [
  ['from <time>', 'from', 'at or after this time, such as 2026-01-31T00:00:00Z'],
  ['to <time>', 'to', 'before this time'],
  ['type <type>', 'type', 'one type of event, such as authentication_failure'],
  ['category <category>', 'category', 'authentication, authorization, data_access, …'],
  ['severity <severity>', 'minSeverity', 'this severity or higher'],
  ['service <name>', 'service', 'events of one service'],
  ['result <result>', 'result', 'success or failure'],
  ['address <address>', 'address', 'an address, or a network such as 192.0.2.0/24'],
  ['user <id>', 'userId', 'events of one user'],
  ['user-name <name>', 'userName', 'events of one user name, as written in the event'],
  ['resource <id>', 'resourceId', 'events about one resource'],
  ['tenant <id>', 'tenantId', 'events of one tenant'],
  ['request <id>', 'requestId', 'events of one request'],
  ['trace <id>', 'traceId', 'events of one trace'],
  ['status <status>', 'status', 'open, in_progress, resolved or suppressed'],
]
const pageOptions: Filters = [
  ['text <text>', 'text', 'descriptions and details that contain this text; requires --from'],
  ['cursor <cursor>', 'cursor', 'next page; the cursor is printed with the page before'],
]

const BAR_CHARACTERS = 40

function camelCase(option: string): string {
  return option.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function add(command: Command, options: Filters): Command {
  for (const [option, , meaning] of options) command.option(`--${option}`, meaning)
  return command
}

function given(cli: Invocation, options: Filters): Record<string, unknown> {
  return Object.fromEntries(
    options
      .map(([option, field]) => [field, cli.flags[camelCase(option.split(' ')[0] ?? '')]] as const)
      .filter(([, value]) => value !== undefined),
  )
}

function limitOf(cli: Invocation): { limit?: number } {
  const { limit } = cli.flags
  if (limit === undefined) return {}
  const rows = Number(limit)
  if (Number.isInteger(rows)) return { limit: rows }
  throw new AkashiError('invalid_input', `${String(limit)} is not a valid --limit`, {
    hint: 'give a whole number',
  })
}

function cells(row: EventRow): (string | null)[] {
  const about = row.resourceId === null ? row.service : `${row.resourceType ?? ''} ${row.resourceId}`.trim()
  return [
    row.createdAt,
    row.severity,
    row.type,
    row.userName ?? row.userId,
    row.address,
    about,
    row.status,
    row.id,
  ]
}

function search(group: Command, perform: Parameters<Register>[1]): void {
  const command = group.command('search').description('find security events, newest first')
  add(command, [...filters, ...pageOptions])
    .option('--limit <n>', 'events per page')
    .action(() =>
      perform(async (cli) => {
        const { searchEvents } = await import('../../security/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const filter = { ...given(cli, [...filters, ...pageOptions]), ...limitOf(cli) }
        const page = await withConnections(cli, ({ pool, actor }) =>
          searchEvents(pool('security_admin'), actor, filter),
        )
        const head = ['at', 'severity', 'type', 'user', 'address', 'resource', 'status', 'event']
        const shown = page.rows.length === 0 ? 'nothing found' : table(head, page.rows.map(cells))
        cli.print(page, page.next === null ? shown : `${shown}\nnext page: --cursor ${page.next}`)
        return 0
      }),
    )
}

function timeline(group: Command, perform: Parameters<Register>[1]): void {
  add(
    group.command('timeline').description('count security events over time; requires --from and --to'),
    filters,
  )
    .option('--interval <interval>', '1m, 5m, 15m, 1h, 6h, 1d or 7d', '1h')
    .action(() =>
      perform(async (cli) => {
        const { eventTimeline, timelineQuery } = await import('../../security/index.ts')
        const { parseQuery } = await import('../../foundation/index.ts')
        const { withConnections } = await import('../databases.ts')
        const query = { ...given(cli, filters), interval: cli.flags['interval'] }
        const parsed = parseQuery(timelineQuery, query)
        const found = await withConnections(cli, ({ pool, actor }) =>
          eventTimeline(pool('security_admin'), actor, parsed),
        )
        cli.print(found, chart(found.buckets))
        return 0
      }),
    )
}

function chart(buckets: readonly Bucket[]): string {
  const most = Math.max(1, ...buckets.map(({ count }) => count))
  const width = String(most).length
  return buckets
    .map(({ at, count }) => {
      const bar = '█'.repeat(Math.ceil((count / most) * BAR_CHARACTERS))
      return `${at.slice(0, 16)}Z  ${String(count).padStart(width)}  ${bar}`.trimEnd()
    })
    .join('\n')
}

function remedy(group: Command, perform: Parameters<Register>[1]): void {
  group
    .command('remedy')
    .argument('<event>', 'id of the event')
    .description('set the remediation of an event; only the given options change')
    .option('--status <status>', 'open, in_progress, resolved or suppressed')
    .option('--notes <text>', 'findings and actions taken')
    .option('--assignee <uuid>', 'id of the responsible user')
    .action((event: string) =>
      perform(async (cli) => {
        const { remediationChange } = await import('@akashi/contract')
        const { remediate } = await import('../../security/index.ts')
        const { parseQuery } = await import('../../foundation/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { status, notes, assignee } = cli.flags
        const wanted = Object.entries({ status, notes, assignee }).filter(([, value]) => value !== undefined)
        const change = parseQuery(remediationChange, Object.fromEntries(wanted))
        const now = await withConnections(cli, ({ pool, actor }) =>
          remediate(pool('security_admin'), actor, event, change),
        )
        cli.print(now, `event ${now.eventId} is ${now.status}`)
        return 0
      }),
    )
}

export const events: Register = (program, perform) => {
  const group = program.command('events').description('search security events and record their remediation')
  search(group, perform)
  timeline(group, perform)
  remedy(group, perform)
}
