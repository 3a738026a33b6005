import { formatTime, normaliseTime } from '../time.ts'
import { type Zone, zone } from '../zone.ts'

const WRITTEN = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?) ([A-Za-z]{1,6}|[+-]\d\d(?::?\d\d)?)$/
/** Abbreviations of log_timezone that mean one offset everywhere. */
const OFFSETS: ReadonlyMap<string, string> = new Map([
  ['UTC', '+00:00'],
  ['GMT', '+00:00'],
  ['Z', '+00:00'],
  ['JST', '+09:00'],
  ['KST', '+09:00'],
])

/** Reads times of a log of PostgreSQL: `2026-01-01 12:00:00.123 JST`. `timezone` decides what other abbreviations mean. */
export function createLogTime(timezone: string | null): (written: string) => string | null {
  const local: Zone | null = timezone === null ? null : zone(timezone)
  return (written) => {
    const match = WRITTEN.exec(written)
    if (match === null) return null
    const [, date = '', clock = '', abbreviation = ''] = match
    const offset = OFFSETS.get(abbreviation) ?? (/^[+-]/.test(abbreviation) ? padded(abbreviation) : null)
    if (offset !== null) return normaliseTime(`${date}T${clock}${offset}`)
    const asUtc = normaliseTime(`${date}T${clock}Z`)
    if (local === null || asUtc === null) return null
    const [instant] = local.instants(Date.parse(asUtc))
    return instant === undefined ? null : formatTime(instant)
  }
}

function padded(offset: string): string {
  return offset.length === 3 ? `${offset}:00` : offset
}
