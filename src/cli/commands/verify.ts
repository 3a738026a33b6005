import type { VerifyMode, VerifyReport } from '../../audit/index.ts'
import { AkashiError } from '../../foundation/index.ts'
import type { Invocation, Register } from '../invocation.ts'
import { SettingOption } from '../setting-option.ts'

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
    throw new AkashiError('invalid_input', '--incremental and --scrub exclude each other', {
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

export const verify: Register = (program, perform) => {
  program
    .command('verify')
    .description(
      'verify every row, entry, signature and trigger of the audit trail, and its code; exits 1 if anything was altered',
    )
    .option('--incremental', 'only what was sealed since the last successful verification')
    .option('--scrub', 'only the part that was verified longest ago')
    .option('--second-opinion', 'hash every row in this program as well as in the server, which takes longer')
    .addOption(new SettingOption('policy'))
    .action(() =>
      perform(async (cli) => {
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
