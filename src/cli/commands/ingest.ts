import type { LoadResult } from '../../security/index.ts'
import { openInput } from '../ingest/input.ts'
import { parseOptions } from '../ingest/options.ts'
import type { Register } from '../invocation.ts'

/** Rejections shown as text; --json lists more. */
const SHOWN_REJECTIONS = 20

function describe(
  { read, accepted, stored, known, rejected, rejectedTotal, quarantined }: LoadResult,
  shape: string | null,
): string {
  const shown = rejected.slice(0, SHOWN_REJECTIONS)
  return [
    `${read} lines read, ${accepted} accepted, ${rejectedTotal} rejected; ${stored} events stored, ${known} already known`,
    ...shown.map(({ line, reason }) => `  line ${line}: ${reason}`),
    ...(rejectedTotal > shown.length
      ? [`  and ${rejectedTotal - shown.length} more; --json lists them`]
      : []),
    ...(quarantined === 0
      ? []
      : [`${quarantined} rejected lines are kept: akashi quarantine replay reads them again`]),
    ...(shape === null ? [] : [`nothing was accepted; the input is ${shape}`]),
  ].join('\n')
}

export const ingest: Register = (program, perform) => {
  program
    .command('ingest')
    .argument('<file>', 'file to read, plain or gzip; - for standard input')
    .description('import security events from a log file; repeating it stores no duplicates')
    .requiredOption('--format <format>', 'sshd, json, ocsf, cloudtrail, keycloak, cognito or postgresql')
    .option('--year <year>', 'sshd: year of the first line (default: inferred)')
    .option(
      '--timezone <zone>',
      'sshd and postgresql: time zone of the host that wrote the log, such as Asia/Tokyo (default: UTC)',
    )
    .option('--from <time>', 'reject events before this date or time (default: 2000-01-01)')
    .option('--to <time>', 'reject events at or after this date or time (default: a day from now)')
    .option('--source <name>', 'distinguishes systems that could write identical lines')
    .action((file: string) =>
      perform(async (cli) => {
        const { describeShape, loadEvents, parseEvents } = await import('../../security/index.ts')
        const { withConnections } = await import('../databases.ts')
        const input = await openInput(file)
        try {
          const options = await parseOptions(cli.flags, input)
          const bar = await cli.progress(input.name, input.size)
          try {
            const result = await withConnections(cli, ({ pool, actor }) =>
              loadEvents(pool('worker'), actor, parseEvents(input.bytes, options), {
                source: input.name,
                format: options.format,
                signal: cli.signal,
                onProgress: ({ read }) => bar.update(input.size === 0 ? read : input.bytesRead),
              }),
            )
            bar.stop()
            const shape =
              result.accepted === 0
                ? describeShape(input.head).replace(new RegExp(`; use --format ${options.format}$`), '')
                : null
            cli.print(shape === null ? result : { ...result, shape }, describe(result, shape))
            return shape === null ? 0 : 1
          } finally {
            bar.stop()
          }
        } finally {
          input.close()
        }
      }),
    )
}
