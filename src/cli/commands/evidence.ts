import { readFile, writeFile } from 'node:fs/promises'
import { MAX_EVIDENCE_LINK_DAYS } from '@akashi/contract'
import type { Command } from 'commander'
import type { CheckedFile } from '../../evidence/index.ts'
import { AkashiError, errno, systemClock } from '../../foundation/index.ts'
import type { Invocation, Register } from '../invocation.ts'
import { SettingOption } from '../setting-option.ts'
import type { ExitStatus } from '../world.ts'

/** Problems shown in the text output; --json lists all. */
const SHOWN_PROBLEMS = 50

export const evidence: Register = (program, perform) => {
  const group = program
    .command('evidence')
    .description('rows of the record in one HTML file that anybody can check offline')
  make(group, perform)
  check(group, perform)
  share(group, perform)
  links(group, perform)
  revoke(group, perform)
}

function make(group: Command, perform: Parameters<Register>[1]): void {
  rangeOptions(group.command('make'))
    .requiredOption('--reason <text>', 'why the rows are read, one line; recorded in the audit trail')
    .requiredOption('--out <file>', 'the file to write; it must not exist')
    .description('write the sealed rows of a time range, with their proofs, into one HTML file')
    .action(() =>
      perform(async (cli) => {
        const { makeEvidence } = await import('../../evidence/index.ts')
        const { openKeys } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { log, from, to, reason, out } = cli.flags
        const keyring = await openKeys(await cli.config())
        try {
          const made = await withConnections(
            cli,
            ({ pool, actor }) =>
              makeEvidence(
                { database: pool('security_admin'), keyring, clock: systemClock },
                actor,
                {
                  logs: log as readonly string[],
                  from: String(from),
                  to: String(to),
                  reason: String(reason),
                },
                cli.signal,
              ),
            keyring,
          )
          await writeNew(String(out), made.html)
          const { rows, absent } = made
          cli.print(
            { file: String(out), rows, absent },
            [
              `${String(out)}: ${rows} rows`,
              ...(absent === 0
                ? []
                : [`${absent} entries of the range are not in it: their rows are archived or retired`]),
            ].join('\n'),
          )
          return 0
        } finally {
          await keyring.close()
        }
      }),
    )
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx', mode: 0o600 })
  } catch (cause) {
    if (errno(cause) !== 'EEXIST') throw cause
    throw new AkashiError('conflict', `${file} exists`, { hint: 'give another name', cause })
  }
}

function check(group: Command, perform: Parameters<Register>[1]): void {
  group
    .command('check')
    .argument('<file>', 'an evidence file')
    .addOption(new SettingOption('policy'))
    .description(
      'check an evidence file without running the program inside it, without database or network; exits 1 unless every row is proven',
    )
    .action((file: string) => perform((cli) => checkFile(cli, file)))
}

async function checkFile(cli: Invocation, file: string): Promise<ExitStatus> {
  const { checkEvidenceFile } = await import('../../evidence/index.ts')
  const { policy } = await cli.config()
  const html = await readFile(file, 'utf8').catch((cause: unknown) => {
    if (errno(cause) !== 'ENOENT') throw cause
    throw new AkashiError('not_found', `file not found: ${file}`, { cause })
  })
  const checked = await checkEvidenceFile(
    html,
    policy === undefined ? undefined : await readFile(policy, 'utf8'),
  )
  const { verdict, trust, signer, problems, page } = checked
  cli.print(
    { ok: verdict !== 'failed', verdict, trust, signer, page, problems, logs: logsOf(checked) },
    describe(checked),
  )
  return verdict === 'failed' ? 1 : 0
}

function logsOf({ parts }: CheckedFile) {
  return parts.map(({ log, checkpoint, quorum, rows, gaps }) => ({
    log,
    checkpoint,
    quorum,
    rows: rows.length,
    proven: rows.filter(({ state }) => state === 'proven').length,
    gaps,
  }))
}

const meanings = {
  witnessed: 'every row is proven, and the quorum of witnesses cosigned it',
  signed: 'every row is proven by the signature of the log; the quorum of witnesses did not cosign all of it',
  failed: 'this file does not prove what it shows',
} as const

function describe(checked: CheckedFile): string {
  const { verdict, trust, signer, problems, page } = checked
  const left = problems.length - SHOWN_PROBLEMS
  return [
    meanings[verdict],
    ...logsOf(checked).map(
      ({ log, rows, proven, checkpoint, quorum, gaps }) =>
        `  ${log}: ${proven} of ${rows} rows proven${checkpoint === null ? '' : `, ${checkpoint.origin} of size ${checkpoint.size}`}, quorum ${quorum}, ${gaps.length} gaps between positions`,
    ),
    ...problems
      .slice(0, SHOWN_PROBLEMS)
      .map(
        ({ kind, log, position, detail }) =>
          `  ${kind}${log === null ? '' : ` of ${log}`}${position === null ? '' : ` at ${position}`}: ${detail}`,
      ),
    ...(left > 0 ? [`  and ${left} more`] : []),
    ...(page === 'same'
      ? []
      : [
          'the page around the document is not what this version writes: do not rely on what it shows in a browser',
        ]),
    ...(signer === 'given'
      ? []
      : [
          'the key that signed the document comes from the file itself: whoever made the file could have left rows out',
        ]),
    ...(trust === 'given'
      ? []
      : [
          'keys and quorum come from the file itself, which proves nothing against whoever made it; give --policy',
        ]),
  ].join('\n')
}

/** Reads the options that make and share have in common. */
function rangeOptions(command: Command): Command {
  return command
    .requiredOption('--log <log...>', 'audit_logs, security_events or login_attempts; several are possible')
    .requiredOption('--from <time>', 'rows at or after this time, such as 2026-01-31T00:00:00Z')
    .requiredOption('--to <time>', 'rows before this time')
}

function share(group: Command, perform: Parameters<Register>[1]): void {
  rangeOptions(group.command('share'))
    .option('--report <id...>', 'also these compliance reports, as listed by akashi report list')
    .option('--days <n>', `how long the link is valid, up to ${MAX_EVIDENCE_LINK_DAYS}`, '7')
    .requiredOption('--reason <text>', 'for whom and why, one line; recorded in the audit trail')
    .description(
      'create a link that shows logs and reports to somebody without an account; it is printed once',
    )
    .action(() =>
      perform(async (cli) => {
        const { createLink } = await import('../../evidence/index.ts')
        const { withSignedConnections } = await import('../databases.ts')
        const { log, from, to, report, reason } = cli.flags
        const days = Number(cli.flags['days'])
        if (!Number.isInteger(days) || days < 1 || days > MAX_EVIDENCE_LINK_DAYS) {
          throw new AkashiError(
            'invalid_input',
            `--days is a whole number from 1 to ${MAX_EVIDENCE_LINK_DAYS}`,
          )
        }
        const { publicUrl, host, port } = await cli.config()
        const made = await withSignedConnections(cli, ({ pool, actor }) =>
          createLink(pool('owner'), actor, {
            logs: log as readonly string[],
            from: String(from),
            to: String(to),
            reports: (report ?? []) as readonly string[],
            reason: String(reason),
            days,
          }),
        )
        const url = new URL(`/evidence#${made.token}`, publicUrl ?? `http://${host}:${port}`).href
        cli.print(
          { id: made.id, url, expiresAt: made.expiresAt },
          `${url}\nvalid until ${made.expiresAt}; whoever has this link reads what it shows, and it is not shown again`,
        )
        return 0
      }),
    )
}

function links(group: Command, perform: Parameters<Register>[1]): void {
  group
    .command('links')
    .description('list the links, newest first')
    .action(() =>
      perform(async (cli) => {
        const { listLinks } = await import('../../evidence/index.ts')
        const { withSignedConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const found = await withSignedConnections(cli, ({ pool, actor }) => listLinks(pool('owner'), actor))
        cli.print(
          { links: found },
          found.length === 0
            ? 'no links'
            : table(
                ['link', 'state', 'until', 'opened', 'logs', 'reports', 'reason'],
                found.map((each) => [
                  each.id,
                  each.open ? 'open' : each.revokedAt === null ? 'ended' : 'revoked',
                  each.expiresAt,
                  each.opened,
                  each.logs.join(' '),
                  each.reports.length,
                  each.reason,
                ]),
              ),
        )
        return 0
      }),
    )
}

function revoke(group: Command, perform: Parameters<Register>[1]): void {
  group
    .command('revoke')
    .argument('<link>', 'as listed by akashi evidence links')
    .requiredOption('--reason <text>', 'why, one line; recorded in the audit trail')
    .description('end a link and its sessions at once')
    .action((id: string) =>
      perform(async (cli) => {
        const { revokeLink } = await import('../../evidence/index.ts')
        const { withSignedConnections } = await import('../databases.ts')
        await withSignedConnections(cli, ({ pool, actor }) =>
          revokeLink(pool('owner'), actor, id, String(cli.flags['reason'])),
        )
        cli.print({ id, revoked: true }, `revoked ${id}`)
        return 0
      }),
    )
}
