/** Rejected lines are kept, and read again when they can be. */
import { expect, test } from 'vitest'
import {
  listQuarantine,
  loadEvents,
  type ParseOptions,
  parseEvents,
  replayQuarantine,
} from '../../src/security/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const worker = database.open('worker')
const earliest = new Date('2000-01-01T00:00:00Z')
const asOf = new Date('2026-06-01T00:00:00Z')

async function load(text: string, options: ParseOptions) {
  const bytes = (async function* () {
    yield Buffer.from(text)
  })()
  return await loadEvents(worker, tester, parseEvents(bytes, options), {
    source: 'auth.log',
    format: options.format,
  })
}
const stored = async () => {
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ at: string; user: string }>(
      `select to_char(created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as at, user_name as user from akashi_security.security_events where source_service = 'sshd' order by 1`,
    ),
  )
  return rows.map(({ at, user }) => [at, user])
}

test('a line that is too late today is accepted tomorrow, in its year and its zone, and once', async () => {
  const said = 'Failed password for ann from 192.0.2.1 port 1 ssh2'
  const lines = [
    `Jan 10 09:00:00 h sshd[1]: ${said}`,
    `Jun 20 09:00:00 h sshd[1]: ${said}`,
    'Jan 10 09:00:01 h CRON[1]: x',
    '',
    'Jun 20 09:00:01 h sshd[1]: A new form',
  ]
  const options = { format: 'sshd', timezone: 'Asia/Tokyo', year: 2026, asOf } as const
  expect(await load(lines.join('\n'), options)).toMatchObject({
    accepted: 1,
    rejectedTotal: 4,
    quarantined: 2,
  })
  await load(lines.join('\n'), options)
  const kept = await listQuarantine(worker, tester)
  expect(kept.map(({ lines: count }) => count)).toEqual([2])
  expect(await replayQuarantine(worker, tester, { asOf, earliest })).toMatchObject({
    read: 2,
    accepted: 0,
    stored: 0,
  })
  expect(await stored()).toEqual([['2026-01-10 00:00', 'ann']])
  const later = new Date('2026-07-01T00:00:00Z')
  expect(await replayQuarantine(worker, tester, { asOf: later, earliest })).toEqual({
    read: 2,
    accepted: 1,
    stored: 1,
  })
  expect(await stored()).toEqual([
    ['2026-01-10 00:00', 'ann'],
    ['2026-06-20 00:00', 'ann'],
  ])
  expect(await replayQuarantine(worker, tester, { asOf: later, earliest })).toMatchObject({
    read: 1,
    accepted: 0,
  })
  expect((await listQuarantine(worker, tester)).map(({ reason }) => reason)).toEqual([
    'not an event: unknown sshd message',
  ])
})

test('records over several lines are kept whole', async () => {
  const record = JSON.stringify({ class_uid: 3002, status_id: 2, time: '2026-06-20T00:00:00Z' }, null, 2)
  expect(await load(record, { format: 'ocsf', asOf })).toMatchObject({ accepted: 0, quarantined: 1 })
  expect(
    await replayQuarantine(worker, tester, { asOf: new Date('2026-07-01T00:00:00Z'), earliest }),
  ).toMatchObject({ accepted: 1, stored: 1 })
})

test('is for those who take in logs', async () => {
  for (const role of ['app', 'reader'] as const) {
    await expect(listQuarantine(database.open(role), tester)).rejects.toMatchObject({ code: 'forbidden' })
  }
})
