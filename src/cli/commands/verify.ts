import type { VerifyReport } from '../../audit/index.ts'
import type { Register } from '../invocation.ts'

/** Problems of one log that are shown as text; --json has all that were listed. */
const SHOWN_PROBLEMS = 50

function describe({ logs }: VerifyReport): string {
  return logs
    .flatMap((log) => {
      const problems = log.problems.length + log.unlisted
      const shown = log.problems.slice(0, SHOWN_PROBLEMS)
      return [
        `${log.log}: ${log.size} entries, ${log.checked} rows checked, ${problems === 0 ? 'no problem' : problems === 1 ? '1 problem' : `${problems} problems`}`,
        ...shown.map(
          ({ kind, position, id, detail }) =>
            `  ${kind}${position === null ? '' : ` at ${position}`}${kind === 'trigger' && id !== null ? ` of ${id}` : ''}: ${detail}`,
        ),
        ...(problems > shown.length ? [`  and ${problems - shown.length} more`] : []),
      ]
    })
    .join('\n')
}

export const verify: Register = (program, perform) => {
  program
    .command('verify')
    .description(
      'check every row, entry, signature and trigger of the record; exits 1 when something was altered',
    )
    .action(() =>
      perform(async (cli) => {
        const { verifyAndRecord } = await import('../../operations/index.ts')
        const { openKeys, openObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const config = await cli.config()
        const keyring = await openKeys(config)
        try {
          const store = await openObjects(config)
          const report = await withConnections(cli, ({ pool }) =>
            verifyAndRecord(
              pool('worker'),
              { keyring, store },
              {
                signal: cli.signal,
                onAway: (witness, error) =>
                  cli.note(`the witness ${witness} was not asked: ${error.message}`),
              },
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
