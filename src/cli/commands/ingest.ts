import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { AkashiError, errno } from '../../foundation/index.ts'
import type { LoadResult, ParseOptions } from '../../security/index.ts'
import type { Invocation, Register } from '../invocation.ts'

/** Rejections shown as text; --json lists more. */
const SHOWN_REJECTIONS = 20

/** Where a year is not said and not inferred from the whole file, it is from the first line. */
async function parseOptions(
  cli: Invocation,
  file: string,
  formats: readonly string[],
): Promise<ParseOptions> {
  const { format, year, timezone, source } = cli.flags
  // A file was read to its end when it was last written: so a later run infers the same year.
  const asOf = file === '-' ? new Date() : (await stat(file)).mtime
  const common = typeof source === 'string' ? { source } : {}
  if (format === 'json' || format === 'ocsf' || format === 'cloudtrail') {
    return { ...common, format, asOf: new Date() }
  }
  if (format !== 'sshd') {
    throw new AkashiError('invalid_input', `${String(format)} is no format`, {
      hint: `one of ${formats.join(', ')}`,
    })
  }
  const zone = typeof timezone === 'string' ? timezone : 'UTC'
  if (year === undefined) {
    const { inferFirstYear } = await import('../../security/index.ts')
    const first = file === '-' ? null : await inferFirstYear(createReadStream(file), { timezone: zone, asOf })
    return { ...common, format, year: first, timezone: zone, asOf }
  }
  const first = Number(year)
  if (!(Number.isInteger(first) && first >= 1970 && first <= 9999)) {
    throw new AkashiError('invalid_input', `${String(year)} is no year`, {
      hint: 'give it as four digits, such as 2016',
    })
  }
  return { ...common, format, year: first, timezone: zone, asOf: new Date() }
}

function describe({ read, accepted, stored, known, rejected, rejectedTotal }: LoadResult): string {
  const shown = rejected.slice(0, SHOWN_REJECTIONS)
  return [
    `${read} lines read, ${accepted} accepted, ${rejectedTotal} not; ${stored} events are new, ${known} were there already`,
    ...shown.map(({ line, reason }) => `  line ${line}: ${reason}`),
    ...(rejectedTotal > shown.length
      ? [`  and ${rejectedTotal - shown.length} more; --json lists them`]
      : []),
  ].join('\n')
}

export const ingest: Register = (program, perform) => {
  program
    .command('ingest')
    .argument('<file>', 'file to read; - reads standard input')
    .description('take security events in, each exactly once however often the file is read')
    .requiredOption('--format <format>', 'sshd, json, ocsf or cloudtrail')
    .option('--year <year>', 'sshd: year of the first line; without it, the one that fits')
    .option(
      '--timezone <zone>',
      'sshd: time zone of the host that wrote the log, such as Asia/Tokyo (default: UTC)',
    )
    .option('--source <name>', 'tells apart systems that could write the very same lines')
    .action((file: string) =>
      perform(async (cli) => {
        const { ingestFormats, loadEvents, parseEvents } = await import('../../security/index.ts')
        const { withConnections } = await import('../databases.ts')
        const bytes = file === '-' ? 0 : await sizeOf(file)
        const options = await parseOptions(cli, file, ingestFormats)
        const input = file === '-' ? process.stdin : createReadStream(file)
        const bar = await cli.progress(basename(file), bytes)
        try {
          const result = await withConnections(cli, ({ pool }) =>
            loadEvents(pool('worker'), parseEvents(input, options), {
              source: file === '-' ? 'standard input' : basename(file),
              format: options.format,
              signal: cli.signal,
              onProgress: () => bar.update('bytesRead' in input ? input.bytesRead : 0),
            }),
          )
          bar.stop()
          cli.print(result, describe(result))
          return 0
        } finally {
          bar.stop()
          input.destroy()
        }
      }),
    )
}

async function sizeOf(file: string): Promise<number> {
  try {
    const found = await stat(file)
    if (found.isDirectory())
      throw new AkashiError('invalid_input', `${file} is a folder`, { hint: 'name a file' })
    return found.size
  } catch (error) {
    if (errno(error) === 'ENOENT')
      throw new AkashiError('not_found', `there is no file ${file}`, { cause: error })
    if (errno(error) === 'EACCES')
      throw new AkashiError('forbidden', `${file} cannot be read`, { cause: error })
    throw error
  }
}
