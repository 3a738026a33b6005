import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { findRealLog, other, parseAll, sshd2016 } from './support/parse.ts'

const failed = (second: string, port = 42) =>
  `Dec 10 06:55:${second} LabSZ sshd[1]: Failed password for root from 192.0.2.1 port ${port} ssh2\n`
const ids = (input: string, options: Parameters<typeof parseAll>[1] = sshd2016, portion?: number) =>
  parseAll(input, options, portion).events.map(({ event }) => event.id)

describe('ids of events', () => {
  const log = failed('46') + failed('46') + failed('47') + failed('46') + failed('46', 43)

  test('are UUIDs of version 8, and identical lines have different ones', () => {
    expect(new Set(ids(log)).size).toBe(5)
    for (const id of ids(log))
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  test('are the same again, in whatever portions, and for the old lines of a log that grew', () => {
    expect(ids(log, sshd2016, 7)).toEqual(ids(log))
    expect(ids(log + failed('46') + failed('48')).slice(0, 5)).toEqual(ids(log))
    const repeated =
      'Dec 10 06:55:48 LabSZ sshd[1]: message repeated 3 times: [ Failed password for root from 192.0.2.1 port 42 ssh2]\n'
    expect(ids(log + repeated).slice(0, 5)).toEqual(ids(log))
    expect(ids(log + repeated)).toEqual(ids(log + repeated))
  })

  test('do not depend on line ends', () => {
    expect(ids(log.replaceAll('\n', '\r\n'))).toEqual(ids(log))
  })

  test('differ between sources, zones and years', () => {
    const first = (options: Partial<typeof sshd2016> & { source?: string }) =>
      ids(log, { ...sshd2016, ...options })[0]
    expect(
      new Set([first({}), first({ source: 'tokyo' }), first({ timezone: 'UTC' }), first({ year: 2015 })])
        .size,
    ).toBe(4)
  })

  test('of a frozen log are frozen: a change of the recipe would take every log in again', () => {
    expect(ids(failed('46') + failed('46'))).toEqual([
      'e1adafa2-1b26-8ed0-9b52-3cf62b0724be',
      '5fdf406c-0bce-88af-bba0-2751ec4c9714',
    ])
  })

  test.skipIf(findRealLog() === null)('are all different in the OpenSSH log of Loghub', () => {
    const raw = readFileSync(findRealLog() ?? '', 'latin1')
    const all = ids(raw)
    expect(new Set(all).size).toBe(all.length)
    expect(ids(raw.slice(0, raw.length / 2)).slice(0, 500)).toEqual(all.slice(0, 500))
  })
})

describe('ids that events bring', () => {
  const base = { event_type: 'a', event_category: 'system', severity: 'info', source_service: 's' }
  const json = (event: object) =>
    `${JSON.stringify({ ...base, created_at: '2026-01-01T00:00:00Z', ...event })}\n`

  test('Akashi’s own are taken as they are', () => {
    const id = 'AAAAAAAA-0000-4000-8000-000000000001'
    expect(ids(json({ id }) + json({ id }), other('json'))).toEqual([id.toLowerCase(), id.toLowerCase()])
  })

  test('without one the second of two equal lines is another event', () => {
    expect(new Set(ids(json({}) + json({}), other('json'))).size).toBe(2)
  })

  test('another format’s key makes the same event the same, whatever else changed', () => {
    const record = (extra: object) =>
      JSON.stringify({
        eventID: 'e1',
        eventName: 'GetObject',
        eventSource: 's3.amazonaws.com',
        eventTime: '2026-01-01T00:00:00Z',
        ...extra,
      })
    const lines = ids(`${record({})}\n${record({ awsRegion: 'x' })}\n`, other('cloudtrail'))
    expect(new Set(lines).size).toBe(1)
    expect(ids(`{"Records":[${record({})}]}`, other('cloudtrail'))).toEqual(lines.slice(0, 1))
  })

  test('the same number of two products is two events', () => {
    const event = (name: string) =>
      JSON.stringify({ class_uid: 6003, time: 1, metadata: { uid: '1', product: { name } } })
    expect(new Set(ids(`${event('a')}\n${event('b')}\n`, other('ocsf'))).size).toBe(2)
  })
})
