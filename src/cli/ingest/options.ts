import { AkashiError } from '../../foundation/index.ts'
import type { ParseOptions } from '../../security/index.ts'
import type { LogInput } from './input.ts'

/**
 * An earlier event comes from a clock that was never set, unless a range is declared: a partition for the
 * first day of 1970 would stand among those that everybody searches.
 */
const EARLIEST_UNDECLARED = new Date('2000-01-01T00:00:00Z')

type Flags = Readonly<Record<string, unknown>>

/** What the options of `akashi ingest` say about how to read a log. */
export async function parseOptions(flags: Flags, input: LogInput): Promise<ParseOptions> {
  const { format, year, timezone, source } = flags
  const { ingestFormats } = await import('../../security/index.ts')
  const asOf = new Date()
  const common = { ...range(flags), ...(typeof source === 'string' ? { source } : {}) }
  if (format === 'json' || format === 'ocsf' || format === 'cloudtrail') {
    if (year !== undefined || timezone !== undefined) {
      throw new AkashiError('invalid_input', `times of ${format} have a year and an offset`, {
        hint: 'leave out --year and --timezone',
      })
    }
    return { ...common, format, asOf }
  }
  if (format !== 'sshd') {
    throw new AkashiError('invalid_input', `${String(format)} is no format`, {
      hint: `one of ${ingestFormats.join(', ')}`,
    })
  }
  const zone = typeof timezone === 'string' ? timezone : 'UTC'
  if (year !== undefined) return { ...common, format, year: yearOf(year), timezone: zone, asOf }
  // By the time of writing, so that a later run infers the same years.
  const { writtenAt } = input
  return { ...common, format, year: await inferred(input, zone), timezone: zone, asOf: writtenAt }
}

/** Null where the log cannot be read twice: then the first line decides. */
async function inferred(input: LogInput, timezone: string): Promise<number | null> {
  const bytes = input.again()
  if (bytes === null) return null
  const { inferFirstYear } = await import('../../security/index.ts')
  return await inferFirstYear(bytes, { timezone, asOf: input.writtenAt })
}

function yearOf(text: unknown): number {
  const year = Number(text)
  if (Number.isInteger(year) && year >= 1970 && year <= 9999) return year
  throw new AkashiError('invalid_input', `${String(text)} is no year`, {
    hint: 'give it as four digits, such as 2016',
  })
}

function range({ from, to }: Flags): { readonly earliest: Date; readonly before?: Date } {
  const earliest = from === undefined ? EARLIEST_UNDECLARED : timeOf(from)
  if (to === undefined) return { earliest }
  const before = timeOf(to)
  if (before <= earliest) {
    throw new AkashiError('invalid_input', `${String(to)} is not after ${String(from ?? 'the year 2000')}`, {
      hint: 'events are taken from --from until before --to',
    })
  }
  return { earliest, before }
}

/** A date is its midnight in UTC. */
function timeOf(text: unknown): Date {
  const written = String(text)
  const shaped = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/.test(written)
  const time = new Date(written)
  if (shaped && !Number.isNaN(time.getTime())) return time
  throw new AkashiError('invalid_input', `${written} is no time`, {
    hint: 'give a date such as 2016-12-01, or a time with an offset such as 2016-12-01T09:00:00+09:00',
  })
}
