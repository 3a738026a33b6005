import { describe, expect, test } from 'vitest'
import { normaliseAddress } from '../../src/security/ingest/address.ts'
import { formatTime, normaliseTime } from '../../src/security/ingest/time.ts'
import { zone } from '../../src/security/ingest/zone.ts'

describe('addresses', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:0201', '192.0.2.1'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    ['ns.example.com', null],
    ['5.36.59.76.dynamic-dsl-ip.example.net', null],
    ['192.0.2.256', null],
    ['192.0.2.01', null],
    ['1.2.3', null],
    ['UNKNOWN', null],
    ['', null],
  ])('%s is %s', (written, canonical) => {
    expect(normaliseAddress(written)).toBe(canonical)
  })
})

describe('times', () => {
  test.each([
    ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00Z'],
    ['2026-01-31T12:00:00.123456789+09:00', '2026-01-31T03:00:00.123456Z'],
    ['2026-01-31 12:00:00.100-0330', '2026-01-31T15:30:00.1Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00Z'],
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z'],
    ['2026-02-29T00:00:00Z', null],
    ['2026-01-31T24:00:00Z', null],
    ['2026-01-31T12:00:00', null],
    ['1969-12-31T23:59:59Z', null],
    ['0075-01-01T00:00:00Z', null],
    ['9999-12-31T23:59:59-01:00', null],
    ['yesterday', null],
  ])('%s is %s', (written, canonical) => {
    expect(normaliseTime(written)).toBe(canonical)
  })
})

describe('time zones', () => {
  const instants = (name: string, local: string) =>
    zone(name)
      .instants(Date.parse(`${local}Z`))
      .map(formatTime)

  test('a plain time has one instant', () => {
    expect(instants('Asia/Shanghai', '2016-12-10T06:55:46')).toEqual(['2016-12-09T22:55:46Z'])
    expect(instants('Asia/Kathmandu', '2026-01-01T00:00:00')).toEqual(['2025-12-31T18:15:00Z'])
    expect(instants('+05:30', '2026-01-01T00:00:00')).toEqual(['2025-12-31T18:30:00Z'])
  })

  test('an hour that was shown twice has two', () => {
    expect(instants('Europe/Berlin', '2024-10-27T02:30:00')).toEqual([
      '2024-10-27T00:30:00Z',
      '2024-10-27T01:30:00Z',
    ])
    expect(instants('Europe/Berlin', '2024-10-27T01:59:59')).toEqual(['2024-10-26T23:59:59Z'])
    expect(instants('Europe/Berlin', '2024-10-27T03:00:00')).toEqual(['2024-10-27T02:00:00Z'])
    expect(instants('Australia/Lord_Howe', '2024-04-07T01:45:00')).toHaveLength(2)
  })

  test('an hour that was skipped goes on from before it', () => {
    expect(instants('America/New_York', '2024-03-10T02:30:00')).toEqual(['2024-03-10T07:30:00Z'])
  })

  test('a day that a country left out goes on from before it', () => {
    expect(instants('Pacific/Apia', '2011-12-30T12:00:00')).toEqual(['2011-12-30T22:00:00Z'])
  })

  test('a name that is none is refused with a hint', () => {
    expect(() => zone('Asia/Nowhere')).toThrow('unknown time zone: Asia/Nowhere')
  })
})
