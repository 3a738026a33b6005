import { describe, expect, test } from 'vitest'
import { inferFirstYear } from '../../src/security/index.ts'
import { parseAll, sshd2016 } from './support/parse.ts'

const line = (time: string, n = 0) => `${time} host sshd[${n}]: Invalid user x from 192.0.2.1\n`
const times = (log: string, options: Partial<typeof sshd2016> = {}) => {
  const { events, rejected } = parseAll(log, { ...sshd2016, timezone: 'UTC', ...options })
  return [...events.map(({ event }) => event.created_at), ...rejected.map(({ reason }) => reason)]
}

async function* once(text: string) {
  yield Buffer.from(text)
}

describe('the year of a syslog', () => {
  test('is given for the first line and turns with the log', () => {
    expect(times(line('Dec 31 23:59:59') + line('Jan  1 00:00:00') + line('Mar  1 00:00:00'))).toEqual([
      '2016-12-31T23:59:59Z',
      '2017-01-01T00:00:00Z',
      '2017-03-01T00:00:00Z',
    ])
  })

  test('does not turn for a line that comes late, before or after the new year', () => {
    expect(
      times(
        line('Dec 31 23:59:59') + line('Jan  1 00:00:00') + line('Dec 31 23:59:58') + line('Jan  1 00:00:01'),
      ),
    ).toEqual([
      '2016-12-31T23:59:59Z',
      '2017-01-01T00:00:00Z',
      '2016-12-31T23:59:58Z',
      '2017-01-01T00:00:01Z',
    ])
    expect(times(line('Jun  3 00:00:00') + line('Jun  1 00:00:00'))).toEqual([
      '2016-06-03T00:00:00Z',
      '2016-06-01T00:00:00Z',
    ])
  })

  test('is the latest that is not in the future when it is not given', () => {
    const asOf = new Date('2026-03-05T00:00:00Z')
    expect(times(line('Mar  4 10:00:00'), { year: null, asOf })).toEqual(['2026-03-04T10:00:00Z'])
    expect(times(line('Mar  7 10:00:00'), { year: null, asOf })).toEqual(['2025-03-07T10:00:00Z'])
    expect(times(line('Feb 29 10:00:00'), { year: null, asOf })).toEqual(['2024-02-29T10:00:00Z'])
  })

  test('follows the time zone over the year’s end', () => {
    expect(times(line('Jan  1 05:00:00'), { timezone: 'Asia/Tokyo', year: 2017 })).toEqual([
      '2016-12-31T20:00:00Z',
    ])
  })

  test('a line that the time of reading rules out is rejected and moves nothing', () => {
    const asOf = new Date('2016-07-06T00:00:00Z')
    expect(
      times(line('Jul  4 00:00:00') + line('Jan  1 00:00:10') + line('Jul  5 00:00:00'), { asOf }),
    ).toEqual(['2016-07-04T00:00:00Z', '2016-07-05T00:00:00Z', 'in the future as of 2016-07-06T00:00:00Z'])
  })

  test('29 February needs a leap year', () => {
    expect(times(line('Feb 29 00:00:00'), { year: 2015 })).toEqual(['2015 has no 29 February'])
    expect(times(line('Feb 30 00:00:00'))).toEqual(['the time is not a valid date or hour'])
  })

  test('is inferred over several years’ ends from the whole log', async () => {
    const log =
      line('Nov  1 00:00:00') + line('Feb  1 00:00:00') + line('Nov  1 00:00:00') + line('Feb  1 00:00:00')
    const options = { timezone: 'UTC', asOf: new Date('2026-03-01T00:00:00Z') }
    expect(await inferFirstYear(once(log), options)).toBe(2024)
    const leap = line('Nov  1 00:00:00') + line('Feb 29 00:00:00') + line('Mar  1 00:00:00')
    expect(await inferFirstYear(once(leap), options)).toBe(2023)
    expect(await inferFirstYear(once('2026-01-01T00:00:00Z host sshd: x\n'), options)).toBeNull()
  })
})

describe('clocks that were set', () => {
  const berlin = { timezone: 'Europe/Berlin', year: 2024, asOf: new Date('2025-01-01T00:00:00Z') }

  test('the second of two equal hours begins where the log steps back', () => {
    const log = ['01:30:00', '02:30:00', '02:59:59', '02:00:00', '02:30:00', '03:00:00']
      .map((t) => line(`Oct 27 ${t}`))
      .join('')
    expect(times(log, berlin)).toEqual([
      '2024-10-26T23:30:00Z',
      '2024-10-27T00:30:00Z',
      '2024-10-27T00:59:59Z',
      '2024-10-27T01:00:00Z',
      '2024-10-27T01:30:00Z',
      '2024-10-27T02:00:00Z',
    ])
  })

  test('lines that cross by seconds stay in the hour that they are in', () => {
    expect(times(line('Oct 27 02:30:05') + line('Oct 27 02:30:03'), berlin)).toEqual([
      '2024-10-27T00:30:05Z',
      '2024-10-27T00:30:03Z',
    ])
  })
})
