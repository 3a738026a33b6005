import { describe, expect, test } from 'vitest'
import {
  type Expectation,
  logGenerators,
  SSHD_LOG_TIMEZONE,
  SSHD_LOG_YEAR,
} from '../../scripts/event-logs/index.ts'
import type { ParseOptions } from '../../src/security/index.ts'
import { parseAll, tally } from './support/parse.ts'

const LINES = 20_000
const SEED = 7
const asOf = new Date('2026-01-01T00:00:00Z')

function generate(
  format: keyof typeof logGenerators,
  seed: number,
): { log: string; expectation: Expectation } {
  const lines = logGenerators[format](LINES, seed)
  let log = ''
  let next = lines.next()
  for (; !next.done; next = lines.next()) log += `${next.value}\n`
  return { log, expectation: next.value }
}

describe.each(Object.keys(logGenerators) as (keyof typeof logGenerators)[])(
  'a generated log of %s',
  (format) => {
    const { log, expectation } = generate(format, SEED)
    const options: ParseOptions =
      format === 'sshd'
        ? { format, asOf, timezone: SSHD_LOG_TIMEZONE, year: SSHD_LOG_YEAR }
        : { format, asOf }
    const { read, accepted, events, rejected } = parseAll(log, options)

    test('holds what its generator put in', () => {
      const failures = events.filter(({ event }) => event.event_type === 'authentication_failure')
      expect({
        lines: read,
        accepted,
        events: events.length,
        rejected: rejected.length,
        byType: tally(events.map(({ event }) => event.event_type)),
        failuresByAddress: tally(failures.map(({ event }) => event.source_ip)),
      }).toEqual(expectation)
    })

    test('has an id of its own for each event', () => {
      expect(new Set(events.map(({ event }) => event.id)).size).toBe(expectation.events)
    })

    test('is the same for the same seed only', () => {
      expect(generate(format, SEED).log).toBe(log)
      expect(generate(format, SEED + 1).log).not.toBe(log)
    })
  },
)
