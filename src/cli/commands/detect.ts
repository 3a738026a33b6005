import { resolve } from 'node:path'
import type { Finding, Parsed } from '../../detection/index.ts'
import type { Invocation, Register } from '../invocation.ts'

/** Findings that are shown as text; --json has all. */
const SHOWN = 50
const MICROSECONDS_A_MILLISECOND = 1_000

/** Our pack, and the folders of --rules. */
async function readRules(cli: Invocation): Promise<Parsed> {
  const { OWN_RULES, readRuleFolders } = await import('../../detection/index.ts')
  return await readRuleFolders([OWN_RULES, ...foldersOf(cli)])
}

function foldersOf(cli: Invocation): string[] {
  const { rules } = cli.flags
  return Array.isArray(rules) ? rules.map((folder) => resolve(String(folder))) : []
}

function refusals(refused: Parsed['refused']): string[] {
  return refused.map(({ file, line, reason }) => `${file}:${line}: ${reason}`)
}

function timeOf(micros: number): string {
  return new Date(micros / MICROSECONDS_A_MILLISECOND).toISOString()
}

function shown(finding: Finding): Record<string, unknown> {
  const { id, rule, subject, firstAt, lastAt, count, events } = finding
  const window = { from: timeOf(firstAt), to: timeOf(lastAt) }
  return { id, rule: rule.name ?? rule.id, severity: rule.level, subject, count, window, events }
}

function describe(finding: Finding): string {
  const subject = Object.entries(finding.subject).flatMap(([name, value]) =>
    value === null ? [] : `${name} ${value}`,
  )
  return `${timeOf(finding.firstAt)}  ${finding.rule.level.padEnd(13)}  ${finding.rule.title}: ${subject.join(', ')} (${finding.count} events)`
}

function textOf(flag: unknown): string | undefined {
  return typeof flag === 'string' ? flag : undefined
}

async function dateOf(value: unknown): Promise<Date | null> {
  if (value === undefined) return null
  const date = new Date(String(value))
  if (!Number.isNaN(date.getTime()) && /^\d{4}-\d\d-\d\d/.test(String(value))) return date
  const { AkashiError } = await import('../../foundation/index.ts')
  throw new AkashiError('invalid_input', `${String(value)} is not a valid time`, {
    hint: 'give a date such as 2026-12-01, or a time with an offset such as 2026-12-01T09:00:00+09:00',
  })
}

export const detect: Register = (program, perform) => {
  const group = program
    .command('detect')
    .description('find attacks with Sigma rules, in recent and archived events')
  const withRules = ['--rules <folders...>', 'folders with additional Sigma rules'] as const

  group
    .command('rules')
    .description('list the rules in use')
    .option(...withRules)
    .action(() =>
      perform(async (cli) => {
        const { table } = await import('../output/table.ts')
        const { reporting } = await import('../../detection/index.ts')
        const parsed = await readRules(cli)
        const rules = reporting(parsed.rules)
        const rows = rules.map((rule) => [
          rule.name ?? rule.id,
          rule.level,
          rule.attack.join(' '),
          rule.title,
        ])
        cli.print(
          {
            rules: rules.map(({ id, name, title, titleJa, level, attack, hash, falsePositives }) => ({
              id,
              name,
              title,
              titleJa,
              level,
              attack,
              hash,
              falsePositives,
            })),
            refused: parsed.refused,
          },
          [table(['rule', 'severity', 'ATT&CK', 'title'], rows), ...refusals(parsed.refused)].join('\n'),
        )
        return parsed.refused.length === 0 ? 0 : 1
      }),
    )

  group
    .command('check')
    .description('compile rules and run the tests inside them, without a database')
    .option(...withRules)
    .action(() =>
      perform(async (cli) => {
        const { testRules } = await import('../../detection/index.ts')
        const parsed = await readRules(cli)
        const results = testRules(parsed.rules, 'Asia/Tokyo')
        const failed = results.filter(({ passed }) => !passed)
        const failures = failed.map(
          ({ rule, test }) =>
            `${rule.file}: ${rule.name ?? rule.id}: ${test.name}: finds ${test.finds ? 'nothing' : 'something'}`,
        )
        const summary = `${parsed.rules.length} rules compiled, ${parsed.refused.length} refused; ${results.length - failed.length} of ${results.length} tests passed`
        cli.print(
          { rules: parsed.rules.length, refused: parsed.refused, tests: results.length, failures },
          [...refusals(parsed.refused), ...failures, summary].join('\n'),
        )
        return parsed.refused.length + failed.length === 0 ? 0 : 1
      }),
    )

  group
    .command('explain')
    .argument('<rule>', 'name or id')
    .description('show a rule, what it detects, and its SQL statement')
    .option(...withRules)
    .action((wanted: string) =>
      perform(async (cli) => {
        const { ruleNamed, sqlOf } = await import('../../detection/index.ts')
        const rule = ruleNamed((await readRules(cli)).rules, wanted)
        if (rule === undefined) {
          const { AkashiError } = await import('../../foundation/index.ts')
          throw new AkashiError('not_found', `there is no rule ${wanted}`, {
            hint: 'akashi detect rules lists them',
          })
        }
        const sql = sqlOf(rule)
        const { title, titleJa, description, descriptionJa, level, attack, falsePositives, hash } = rule
        const texts = [title, titleJa, description, descriptionJa].filter((text) => text !== null)
        cli.print(
          { title, titleJa, description, descriptionJa, severity: level, attack, falsePositives, hash, sql },
          [
            ...texts,
            `severity ${level}; ATT&CK ${attack.join(', ') || 'none'}; hash ${hash}`,
            `false positives: ${falsePositives.join('; ') || 'none known'}`,
            '',
            sql,
          ].join('\n'),
        )
        return 0
      }),
    )

  group
    .command('backtest')
    .argument('[rule]', 'name or id (default: all)')
    .description('show what rules would have found, day by day, without storing anything')
    .option('--from <time>', 'events from this date or time on (default: the first)')
    .option('--to <time>', 'events before this date or time (default: now)')
    .option(...withRules)
    .action((wanted: string | undefined) =>
      perform(async (cli) => {
        const { backtest } = await import('../../detection/index.ts')
        const { given } = await import('../../foundation/index.ts')
        const range = { from: await dateOf(cli.flags['from']), to: await dateOf(cli.flags['to']) }
        const { findings, total, days, matched, refused, rules } = await withHistory(
          cli,
          ({ queries, actor, rules: configured }) =>
            backtest(queries, actor, configured, {
              ...range,
              ...given({ rule: wanted }),
              reason: 'backtest of rules',
              signal: cli.signal,
            }),
        )
        cli.print(
          {
            findings: findings.map(shown),
            total,
            days: Object.fromEntries(days.map(({ day, findings: count }) => [day, count])),
            matched,
            refused,
          },
          [
            ...findings.slice(0, SHOWN).map(describe),
            ...(total > SHOWN
              ? [`and ${total - SHOWN} more; --json lists the first ${findings.length}`]
              : []),
            ...days.map(({ day, findings: count }) => `${day}  ${count}`),
            ...refusals(refused),
            `${total} findings from ${matched} matching events by ${rules.length} rules`,
          ].join('\n'),
        )
        return 0
      }),
    )

  group
    .command('run')
    .description('run all rules over recent and archived events, and store the findings')
    .option('--from <time>', 'events from this date or time on (default: the first)')
    .option('--to <time>', 'events before this date or time (default: now)')
    .option(...withRules)
    .action(() =>
      perform(async (cli) => {
        const { runAndKeep } = await import('../../detection/index.ts')
        const range = { from: await dateOf(cli.flags['from']), to: await dateOf(cli.flags['to']) }
        const { findings, matched, fresh, refused } = await withHistory(cli, async ({ rules, ...parts }) => ({
          ...(await runAndKeep(
            { ...parts, ...rules },
            { ...range, reason: 'run of detection', signal: cli.signal },
          )),
          refused: rules.refused,
        }))
        const sorted = findings.toSorted((a, b) => a.firstAt - b.firstAt)
        cli.print(
          { findings: sorted.map(shown), fresh, matched, refused },
          [
            ...sorted.slice(0, SHOWN).map(describe),
            ...refusals(refused),
            `${findings.length} findings from ${matched} matching events, ${fresh} of them new`,
          ].join('\n'),
        )
        return 0
      }),
    )

  group
    .command('findings')
    .description('list open findings')
    .option('--all', 'include closed findings')
    .option('--rule <rule>', 'only of this rule: name or id')
    .option('--entity <name>', 'only about this address, user or record')
    .option('--severity <severity>', 'this severity or higher: info, low, medium, high or critical')
    .action(() =>
      perform(async (cli) => {
        const { severities } = await import('@akashi/contract')
        const { listFindings } = await import('../../detection/index.ts')
        const { AkashiError, given } = await import('../../foundation/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const { all, rule, entity, severity } = cli.flags
        const minSeverity = severities.find((each) => each === severity)
        if (severity !== undefined && minSeverity === undefined) {
          throw new AkashiError('invalid_input', `${String(severity)} is not a severity`, {
            hint: `one of ${severities.join(', ')}`,
          })
        }
        const filter = given({
          active: all === true ? undefined : true,
          rule: textOf(rule),
          entity: textOf(entity),
          minSeverity,
        })
        const { rows: findings, next } = await withConnections(cli, ({ pool, actor }) =>
          listFindings(pool('security_admin'), actor, filter),
        )
        const rows = findings.map((row) => [
          row.id,
          row.firstAt,
          row.severity,
          row.status,
          row.title,
          Object.values(row.subject)
            .filter((value) => value !== null)
            .join(', '),
          row.count,
        ])
        cli.print(
          { findings, more: next !== null },
          [
            table(['id', 'first', 'severity', 'state', 'title', 'subject', 'events'], rows),
            ...(next === null ? [] : ['and more; narrow the list with --rule, --entity or --severity']),
          ].join('\n'),
        )
        return 0
      }),
    )

  group
    .command('show')
    .argument('<finding>', 'id of a finding')
    .description('show a finding with its events in order')
    .action((id: string) =>
      perform(async (cli) => {
        const { readFinding } = await import('../../detection/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const finding = await withConnections(cli, ({ pool, actor }) =>
          readFinding(pool('security_admin'), actor, id),
        )
        const { title, severity, status, subject, count, archived, responses, notes, dueAt } = finding
        const events = finding.evidence.map((event) =>
          [
            'created_at',
            'event_type',
            'operation',
            'table_name',
            'user_name',
            'user_id',
            'source_ip',
            'ip_address',
            'id',
          ].flatMap((column) => (event[column] === undefined ? [] : [String(event[column])])),
        )
        cli.print(
          finding,
          [
            `${title} (${finding.rule}), ${severity}, ${status}, due ${dueAt}`,
            ...Object.entries(subject).map(([name, value]) => `${name}: ${value ?? 'none'}`),
            ...(notes === null ? [] : [notes]),
            '',
            ...events.map((event) => event.join('  ')),
            ...(archived.length === 0 ? [] : [`${archived.length} of its events are archived`]),
            ...(count > finding.events.length
              ? [`${count} events; the first ${finding.events.length} are kept by id`]
              : []),
            ...(responses.length === 0
              ? []
              : [
                  '',
                  table(
                    ['at', 'response', 'outcome'],
                    responses.map(({ at, action, outcome }) => [at, action, outcome]),
                  ),
                ]),
          ].join('\n'),
        )
        return 0
      }),
    )

  group
    .command('bundle')
    .argument('<finding>', 'id of a finding')
    .description(
      'print a finding with its rule and the proofs of its events, verifiable with the public key alone',
    )
    .action((id: string) =>
      perform(async (cli) => {
        const { bundleFinding, configuredRules } = await import('../../detection/index.ts')
        const { withConnections } = await import('../databases.ts')
        const bundle = await withConnections(cli, async ({ pool, actor }) => {
          const database = pool('security_admin')
          return await bundleFinding(database, actor, await configuredRules(database, actor), id)
        })
        cli.print(bundle, JSON.stringify(bundle, null, 2))
        return 0
      }),
    )

  group
    .command('set')
    .argument('<finding>', 'id of a finding')
    .description('change the status, assignee or notes of a finding')
    .option('--status <state>', 'open, in_progress, resolved, suppressed or false_positive')
    .option('--assignee <user>', 'id of the user who handles it; - for nobody')
    .option('--notes <text>', 'result of the investigation')
    .action((id: string) =>
      perform(async (cli) => {
        const { findingStates } = await import('@akashi/contract')
        const { changeFinding } = await import('../../detection/index.ts')
        const { AkashiError } = await import('../../foundation/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { status, assignee, notes } = cli.flags
        const state = findingStates.find((each) => each === status)
        if (status !== undefined && state === undefined) {
          throw new AkashiError('invalid_input', `${String(status)} is not a state`, {
            hint: `one of ${findingStates.join(', ')}`,
          })
        }
        const finding = await withConnections(cli, ({ pool, actor }) =>
          changeFinding(pool('security_admin'), actor, id, {
            ...(state === undefined ? {} : { status: state }),
            ...(typeof assignee === 'string' ? { assignee: assignee === '-' ? null : assignee } : {}),
            ...(typeof notes === 'string' ? { notes } : {}),
          }),
        )
        cli.print(finding, `${finding.id} is ${finding.status}`)
        return 0
      }),
    )

  group
    .command('coverage')
    .description('show sealed rows that the current rules have not evaluated')
    .option(...withRules)
    .action(() =>
      perform(async (cli) => {
        const { configuredRules, coverageOf } = await import('../../detection/index.ts')
        const { withConnections } = await import('../databases.ts')
        const coverage = await withConnections(cli, async ({ pool, actor }) => {
          const database = pool('security_admin')
          const { rules } = await configuredRules(database, actor, foldersOf(cli))
          return await coverageOf(database, actor, rules)
        })
        const all = coverage.flatMap((each) => each.gaps)
        const gaps = all.filter((gap) => !gap.waiting)
        const waiting = all.flatMap((gap) =>
          gap.waiting ? [`positions ${gap.first} to ${gap.end - 1} of ${gap.log} wait for the worker`] : [],
        )
        cli.print(
          { coverage },
          [
            ...coverage.map(({ log, sealed, gaps: own }) => {
              const behind = new Set(own.flatMap((gap) => (gap.waiting ? [] : [gap.rule]))).size
              return `${log}: ${sealed} sealed rows; ${behind === 0 ? 'every rule has evaluated them' : `${behind} rules have not evaluated all of them`}`
            }),
            ...new Set(waiting),
            ...gaps
              .slice(0, SHOWN)
              .map(
                ({ rule, log, first, end }) =>
                  `  ${rule} has not evaluated positions ${first} to ${end - 1} of ${log}`,
              ),
            ...(gaps.length > SHOWN ? [`  and ${gaps.length - SHOWN} more; --json lists them`] : []),
            ...(gaps.length > 0 ? ['akashi detect run evaluates everything with all rules'] : []),
          ].join('\n'),
        )
        return gaps.length === 0 ? 0 : 1
      }),
    )
}

type HistoryWork<T> = (parts: {
  readonly queries: import('../../lifecycle/index.ts').Queries
  readonly database: import('../../postgres/index.ts').Database
  readonly actor: import('../../postgres/index.ts').Actor
  readonly rules: import('../../detection/index.ts').Configured
}) => Promise<T>

async function withHistory<T>(cli: Invocation, work: HistoryWork<T>): Promise<T> {
  const { openQueries } = await import('../../lifecycle/index.ts')
  const { configuredRules } = await import('../../detection/index.ts')
  const { openObjects } = await import('../../start/index.ts')
  const { withConnections } = await import('../databases.ts')
  const store = await openObjects(await cli.config())
  return await withConnections(cli, async ({ pool, actor }) => {
    const database = pool('security_admin')
    const rules = await configuredRules(database, actor, foldersOf(cli))
    const queries = openQueries({ database, store })
    try {
      return await work({ queries, database, actor, rules })
    } finally {
      queries.close()
    }
  })
}
