import { AkashiError } from '../../foundation/index.ts'
import type { ParseOptions } from '../../security/index.ts'
import type { LogInput } from './input.ts'

/**
 * Unless a range is given, an earlier event is assumed to come from a clock that was never set: it would create
 * a partition for the first day of 1970.
 */
const EARLIEST_UNDECLARED = new Date('2000-01-01T00:00:00Z')

type Flags = Readonly<Record<string, unknown>>

/** The options of the parser from the options of `akashi ingest`. */
export async function parseOptions(flags: Flags, input: LogInput): Promise<ParseOptions> {
  const { format, year, timezone, source } = flags
  const { ingestFormats } = await import('../../security/index.ts')
  const asOf = new Date()
  const common = { ...range(flags), ...(typeof source === 'string' ? { source } : {}) }
  if (format === 'postgresql') {
    if (year !== undefined) {
      throw new AkashiError('invalid_input', 'times in postgresql already have a year', {
        hint: 'remove --year',
      })
    }
    return { ...common, format, asOf, ...(typeof timezone === 'string' ? { timezone } : {}) }
  }
  if (isJsonFormat(format)) {
    if (year !== undefined || timezone !== undefined) {
      throw new AkashiError('invalid_input', `times in ${format} already have a year and an offset`, {
        hint: 'remove --year and --timezone',
      })
    }
    return { ...common, format, asOf }
  }
  if (format !== 'sshd') {
    throw new AkashiError('invalid_input', `${String(format)} is not a format`, {
      hint: `one of ${ingestFormats.join(', ')}`,
    })
  }
  const zone = typeof timezone === 'string' ? timezone : 'UTC'
  if (year !== undefined) return { ...common, format, year: yearOf(year), timezone: zone, asOf }
  // Relative to when the file was written, so that a later run infers the same years.
  const { writtenAt } = input
  return { ...common, format, year: await inferred(input, zone), timezone: zone, asOf: writtenAt }
}

function isJsonFormat(format: unknown): format is 'json' | 'ocsf' | 'cloudtrail' | 'keycloak' | 'cognito' {
  return ['json', 'ocsf', 'cloudtrail', 'keycloak', 'cognito'].includes(String(format))
}

/** Null if the log cannot be read twice; then the first line decides. */
async function inferred(input: LogInput, timezone: string): Promise<number | null> {
  const bytes = input.again()
  if (bytes === null) return null
  const { inferFirstYear } = await import('../../security/index.ts')
  return await inferFirstYear(bytes, { timezone, asOf: input.writtenAt })
}

function yearOf(text: unknown): number {
  const year = Number(text)
  if (Number.isInteger(year) && year >= 1970 && year <= 9999) return year
  throw new AkashiError('invalid_input', `${String(text)} is not a valid year`, {
    hint: 'give four digits, such as 2016',
  })
}

function range({ from, to }: Flags): { readonly earliest: Date; readonly before?: Date } {
  const earliest = from === undefined ? EARLIEST_UNDECLARED : timeOf(from)
  if (to === undefined) return { earliest }
  const before = timeOf(to)
  if (before <= earliest) {
    throw new AkashiError('invalid_input', `${String(to)} is not after ${String(from ?? 'the year 2000')}`, {
      hint: 'events from --from until before --to are imported',
    })
  }
  return { earliest, before }
}

/** A date means midnight UTC. */
function timeOf(text: unknown): Date {
  const written = String(text)
  const shaped = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/.test(written)
  const time = new Date(written)
  if (shaped && !Number.isNaN(time.getTime())) return time
  throw new AkashiError('invalid_input', `${written} is not a valid time`, {
    hint: 'give a date such as 2016-12-01, or a time with an offset such as 2016-12-01T09:00:00+09:00',
  })
}
