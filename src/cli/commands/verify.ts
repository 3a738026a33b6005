import type { StateReport, TablePosition, VerifyMode, VerifyReport } from '../../audit/index.ts'
import { AkashiError } from '../../foundation/index.ts'
import type { Invocation, Register } from '../invocation.ts'
import { SettingOption } from '../setting-option.ts'
import type { ExitStatus } from '../world.ts'

/** Problems of one log shown in the text output; --json lists more. */
const SHOWN_PROBLEMS = 50

function describe({ logs, notes = [] }: VerifyReport): string {
  return [
    ...logs.flatMap((log) => {
      const problems = log.problems.length + log.unlisted
      const shown = log.problems.slice(0, SHOWN_PROBLEMS)
      return [
        `${log.log}: ${log.size} entries, ${log.checked} rows checked${log.from === '0' ? '' : ` from entry ${log.from} on`}${log.retired === 0 ? '' : `, ${log.retired} retired`}, ${problems === 0 ? 'no problems' : problems === 1 ? '1 problem' : `${problems} problems`}`,
        ...shown.map(
          ({ kind, position, id, detail }) =>
            `  ${kind}${position === null ? '' : ` at ${position}`}${kind === 'trigger' && id !== null ? ` of ${id}` : ''}: ${detail}`,
        ),
        ...log.retiredBy.map(
          ({ policy, records, rows, from, to }) =>
            `  retired: ${rows} rows of ${from} to ${to} in ${records === 1 ? '1 record' : `${records} records`} by ${policy}`,
        ),
        ...log.unread.map(({ object, reason }) => `  not read: archived object ${object}: ${reason}`),
        ...(problems > shown.length ? [`  and ${problems - shown.length} more`] : []),
      ]
    }),
    ...notes,
  ].join('\n')
}

function modeOf(flags: Invocation['flags']): VerifyMode {
  const modes = (['incremental', 'scrub'] as const).filter((mode) => flags[mode] === true)
  if (modes.length > 1) {
    throw new AkashiError('invalid_input', '--incremental and --scrub cannot be combined', {
      hint: 'give one of them, or neither to verify everything',
    })
  }
  if (flags['secondOpinion'] === true && modes[0] === 'scrub') {
    throw new AkashiError('invalid_input', '--second-opinion needs a full or an incremental verification', {
      hint: 'leave out --scrub',
    })
  }
  return modes[0] ?? 'full'
}

/** Milliseconds between two progress lines of a comparison. */
const PROGRESS_MS = 5_000

/** Compares the rows of one table, or of every protected one, with the trail. */
async function verifyStates(cli: Invocation, name: string | undefined): Promise<ExitStatus> {
  const audit = await import('../../audit/index.ts')
  const { withConnections } = await import('../databases.ts')
  const { from } = cli.flags
  const start = typeof from === 'string' ? audit.parseStatePosition(from) : undefined
  return await withConnections(cli, async ({ pool, actor }) => {
    const worker = pool('worker')
    const owner = pool('owner')
    const wanted =
      name === undefined
        ? await audit.protectedTableList(worker, actor)
        : [await audit.protectedTable(worker, actor, name)]
    const reports: StateReport[] = []
    const progress = stateProgress(cli)
    let reached: TablePosition | undefined = start
    try {
      for (const table of goingOn(wanted, start)) {
        const begin = reached === undefined || !isOf(reached, table) ? audit.STATE_START : reached
        if (reached !== undefined) reached = { ...table, ...begin }
        const report = await audit.checkTable(owner, worker, actor, table, {
          signal: cli.signal,
          from: begin,
          onBatch: (position, { rows }) => {
            reached = { ...position, ...table }
            progress(reached, rows)
          },
        })
        reached ??= { ...table, ...audit.STATE_START }
        reports.push(report)
      }
    } catch (error) {
      if (reached !== undefined) {
        const target = name === undefined ? '' : ` ${name}`
        cli.note(`to continue: akashi verify --state${target} --from ${audit.formatStatePosition(reached)}`)
      }
      throw error
    }
    const ok = reports.every(({ different, missing }) => different + missing === 0)
    const found = ok
      ? []
      : (await audit.listDiscrepancies(worker, actor)).filter(({ kind }) => kind === 'state')
    cli.print(
      { ok, tables: reports },
      [
        ...reports.map(describeState),
        ...found.slice(0, SHOWN_PROBLEMS).map(({ detail }) => `  ${detail}`),
      ].join('\n'),
    )
    return ok ? 0 : 1
  })
}

function stateProgress(cli: Invocation): (at: TablePosition, rows: number) => void {
  let told = performance.now()
  return ({ schema, table, phase }, rows) => {
    if (performance.now() - told < PROGRESS_MS) return
    told = performance.now()
    cli.note(
      `${schema}.${table}: ${phase === 'rows' ? `${rows} rows compared` : 'looking for records without a row'}`,
    )
  }
}

interface TableName {
  readonly schema: string
  readonly table: string
}

/** The tables from the one on in which a run was stopped. */
function goingOn(wanted: readonly TableName[], start: TablePosition | undefined): readonly TableName[] {
  const first = start === undefined ? 0 : wanted.findIndex((each) => isOf(start, each))
  if (first >= 0) return wanted.slice(first)
  throw new AkashiError('invalid_input', '--from is a position in another table', {
    hint: 'give the table of the run that was stopped, or none',
  })
}

function isOf(position: TablePosition, { schema, table }: TableName): boolean {
  return position.schema === schema && position.table === table
}

function describeState({ table, rows, withoutVersion, different, missing, note }: StateReport): string {
  const open = withoutVersion === 0 ? '' : `, ${withoutVersion} from before the protection were not compared`
  const wrong = different + missing === 0 ? 'no problems' : `${different} differ, ${missing} are missing`
  return `${table}: ${rows} rows${open}, ${wrong}${note === null ? '' : ` (${note})`}`
}

export const verify: Register = (program, perform) => {
  program
    .command('verify')
    .description(
      'verify every row, entry, signature and trigger of the audit trail, and its code; exits 1 if anything was altered',
    )
    .option('--incremental', 'only what was sealed since the last successful verification')
    .option('--scrub', 'only the parts whose last verification is the oldest')
    .option('--second-opinion', 'hash every row in this program as well as in the server; takes longer')
    .option(
      '--state',
      'instead, compare the current rows of a table, or of every protected table, with the trail',
    )
    .option('--from <position>', 'with --state: go on from here, as a run that was stopped printed it')
    .argument('[table]', 'schema.table, with --state')
    .addOption(new SettingOption('policy'))
    .action((name: string | undefined) =>
      perform(async (cli) => {
        if (cli.flags['state'] === true) return await verifyStates(cli, name)
        if (name !== undefined || cli.flags['from'] !== undefined) {
          throw new AkashiError('invalid_input', 'a table is verified with --state', {
            hint: `akashi verify --state ${name ?? ''}`.trimEnd(),
          })
        }
        const { verifyAndRecord } = await import('../../operations/index.ts')
        const { openKeys, openObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const mode = modeOf(cli.flags)
        const config = await cli.config()
        const keyring = await openKeys(config)
        try {
          const store = await openObjects(config)
          const report = await withConnections(cli, ({ pool, actor }) =>
            verifyAndRecord(
              pool('worker'),
              actor,
              { keyring, store, policy: config.policy },
              { mode, secondOpinion: cli.flags['secondOpinion'] === true, signal: cli.signal },
            ),
          )
          cli.print(report, describe(report))
          return report.ok ? 0 : 1
        } finally {
          await keyring.close()
        }
      }),
    )
}
