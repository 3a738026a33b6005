import { AkashiError } from '../../foundation/index.ts'

const MILLISECONDS_A_DAY = 86_400_000

/** Converts local times of a time zone to instants. */
export interface Zone {
  readonly name: string
  /**
   * The instants (milliseconds since 1970) of the local time `local` (its fields read as UTC), earliest first.
   * Two if clocks were set back. A time skipped by setting clocks forward gives one instant, computed with the
   * offset before the change.
   */
  instants(local: number): readonly number[]
}

/** `name` is an IANA time zone such as Asia/Shanghai, or an offset such as +09:00. */
export function zone(name: string): Zone {
  const offsetAt = offsets(name)
  let day = Number.NaN
  let dayOffset: number | null = null

  return {
    name,
    instants(local) {
      const localDay = Math.floor(local / MILLISECONDS_A_DAY)
      if (localDay !== day) {
        day = localDay
        const start = localDay * MILLISECONDS_A_DAY
        const samples = [-1, 0, 1, 2].map((days) => offsetAt(start + days * MILLISECONDS_A_DAY))
        dayOffset = samples.every((sample) => sample === samples[0]) ? (samples[0] ?? 0) : null
      }
      if (dayOffset !== null) return [local - dayOffset]
      const before = offsetAt(local - MILLISECONDS_A_DAY)
      const after = offsetAt(local + MILLISECONDS_A_DAY)
      const shown = [...new Set([before, after])]
        .map((offset) => local - offset)
        .filter((instant) => instant + offsetAt(instant) === local)
      return shown.length === 0 ? [local - before] : shown.sort((a, b) => a - b)
    },
  }
}

/** The zone's offset at an instant, in milliseconds east of UTC. */
function offsets(name: string): (instant: number) => number {
  const format = formatter(name)
  return (instant) => {
    const seconds = Math.floor(instant / 1000) * 1000
    const part: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(seconds)) part[type] = Number(value)
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = part
    return Date.UTC(year, month - 1, day, hour, minute, second) - seconds
  }
}

function formatter(name: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch (cause) {
    throw new AkashiError('invalid_input', `unknown time zone: ${name}`, {
      hint: 'use an IANA name such as Asia/Tokyo, or an offset such as +09:00',
      cause,
    })
  }
}
