import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { akashi } from '../../scripts/akashi-process.ts'
import { testDatabase, tester } from '../support/index.ts'
import { formatOptions, ingest, type Loaded, writeLog } from './support/ingest-process.ts'

const database = testDatabase()
const worker = database.open('worker')
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-ingest-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const take = (...args: string[]) => ingest(database.url('worker'), args)
const loaded = async (...args: string[]): Promise<Loaded> => {
  const { status, stdout, stderr } = await take(...args).ended
  expect(stderr).toBe('')
  expect(status).toBe(0)
  return JSON.parse(stdout)
}
const partitions = async () => {
  const { rows } = await worker.transaction(tester, (session) =>
    session.query<{ name: string }>(
      `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = 'akashi_security.security_events'::regclass and c.relname < 'security_events_p2012' order by 1`,
    ),
  )
  return rows.map(({ name }) => name)
}

const event = (created_at: string, user_name = created_at) =>
  JSON.stringify({
    event_type: 'x',
    event_category: 'system',
    severity: 'info',
    source_service: 's',
    created_at,
    user_name,
  })

describe('akashi ingest', () => {
  it('reads gzip of several members like the log itself, from a file and from standard input', async () => {
    const log = join(folder, 'sshd.log')
    const expected = await writeLog(log, 'sshd', 3_000, 5)
    const bytes = await readFile(log)
    const packed = Buffer.concat([gzipSync(bytes.subarray(0, 100_001)), gzipSync(bytes.subarray(100_001))])
    await writeFile(`${log}.gz`, packed)
    const options = formatOptions('sshd')
    const { read, accepted, stored } = await loaded(`${log}.gz`, ...options)
    expect({ read, accepted, stored }).toEqual({
      read: expected.lines,
      accepted: expected.accepted,
      stored: expected.events,
    })
    expect(await loaded(log, ...options)).toMatchObject({ read, stored: 0, known: stored })
    for (const input of [bytes, packed]) {
      const { child, ended } = take('-', ...options)
      child.stdin?.end(input)
      expect(JSON.parse((await ended).stdout)).toMatchObject({ read, stored: 0, known: stored })
    }
  })

  it('says that gzip is damaged, and takes the rest in when it is whole', async () => {
    const lines = Array.from({ length: 5_000 }, (_, n) => event('2025-05-05T00:00:00Z', `user ${n}`)).join(
      '\n',
    )
    const packed = gzipSync(lines)
    const file = join(folder, 'cut.gz')
    await writeFile(file, packed.subarray(0, packed.length - 1_000))
    const cut = await take(file, '--format', 'json').ended
    expect(cut.status).toBe(2)
    expect(cut.stderr).toContain('cut.gz is a damaged or truncated gzip file')
    const stored = async () => {
      const { rows } = await worker.transaction(tester, (session) =>
        session.query<{ count: number }>(
          `select count(*)::integer as count from akashi_security.security_events where created_at = '2025-05-05T00:00:00Z'`,
        ),
      )
      return rows[0]?.count ?? 0
    }
    // Nearly everything that could be unpacked.
    expect(await stored()).toBeGreaterThan(4_000)
    await writeFile(file, packed)
    const whole = await loaded(file, '--format', 'json')
    expect(whole.accepted).toBe(5_000)
    expect(await stored()).toBe(5_000)
  })

  it('fails and names the shape when nothing was taken in', async () => {
    const file = join(folder, 'table.csv')
    await writeFile(file, 'time,user,ip\n2026-01-01,root,192.0.2.7\n')
    const { status, stdout } = await take(file, '--format', 'sshd').ended
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ accepted: 0, rejectedTotal: 2, shape: 'CSV' })
  })

  it('takes old events of a declared range, with the partitions that they need and no others', async () => {
    const file = join(folder, 'old.json')
    const times = [
      '1970-01-01T00:00:01Z',
      '2011-03-01T00:00:00Z',
      '2011-03-01T23:59:59.999999Z',
      '2011-03-05T12:00:00Z',
    ]
    await writeFile(file, times.map((time) => event(time)).join('\n'))
    const within = [
      '--format',
      'json',
      '--from',
      '2011-03-01T09:00:00+09:00',
      '--to',
      '2011-03-05T12:00:00Z',
    ] as const
    expect(await loaded(file, ...within)).toMatchObject({
      accepted: 2,
      rejected: [
        { line: 1, reason: 'at 1970-01-01T00:00:01Z, before 2011-03-01T00:00:00Z' },
        { line: 4, reason: 'at 2011-03-05T12:00:00Z, not before 2011-03-05T12:00:00Z' },
      ],
    })
    expect(await partitions()).toEqual(['security_events_p20110301'])
    const undeclared = await loaded(file, '--format', 'json')
    expect(undeclared).toMatchObject({ accepted: 3, stored: 1 })
    expect(undeclared.rejected).toEqual([{ line: 1, reason: expect.stringContaining('before 2000-01-01') }])
    expect(await loaded(file, '--format', 'json', '--from', '1970-01-01')).toMatchObject({ accepted: 4 })
    expect(await partitions()).toHaveLength(3)
  })

  it.each([
    [['--format', 'json', '--from', 'yesterday'], 'yesterday is not a valid time'],
    [['--format', 'json', '--from', '2020-01-02', '--to', '2020-01-02'], 'is not after'],
    [['--format', 'json', '--year', '2016'], 'have a year and an offset'],
    [['--format', 'xml'], 'xml is not a format'],
    [['--format', 'sshd', '--year', 'x'], 'x is not a valid year'],
    [['--format', 'sshd', '--timezone', 'Mars/Olympus'], 'Mars/Olympus'],
  ])('refuses %j', async (options, message) => {
    const file = join(folder, 'empty')
    await writeFile(file, '')
    const { status, stderr } = await take(file, ...options).ended
    expect(stderr).toContain(message)
    expect(status).toBe(2)
  })
})

describe('akashi events', () => {
  const run = (...args: string[]) =>
    akashi(['events', ...args], { env: { DATABASE_URL: database.url('server') } })

  it('searches, counts over time, and says what is done', async () => {
    const file = join(folder, 'searched.json')
    const hours = [0, 0, 0, 2].map((hour, n) => event(`2025-06-01T0${hour}:30:0${n}Z`, `searched ${n}`))
    await writeFile(file, hours.join('\n'))
    await loaded(file, '--format', 'json')
    const range = ['--from', '2025-06-01T00:00:00Z', '--to', '2025-06-01T03:00:00Z'] as const
    const first = JSON.parse((await run('search', ...range, '--limit', '3', '--json')).stdout)
    expect(first.rows.map((row: { userName: string }) => row.userName)).toEqual([
      'searched 3',
      'searched 2',
      'searched 1',
    ])
    const second = await run('search', ...range, '--limit', '3', '--cursor', first.next)
    expect(second.stdout.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^at +severity +type/),
      expect.stringContaining('searched 0'),
    ])
    const timeline = await run('timeline', ...range)
    expect(
      timeline.stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.slice(0, 20)),
    ).toEqual(['2025-06-01T00:00Z  3', '2025-06-01T01:00Z  0', '2025-06-01T02:00Z  1'])
    const id = first.rows[0].id
    expect((await run('remedy', id, '--status', 'resolved')).stdout).toBe(`event ${id} is resolved\n`)
    const resolved = JSON.parse((await run('search', ...range, '--status', 'resolved', '--json')).stdout)
    expect(resolved.rows).toHaveLength(1)
    expect((await run('remedy', id)).status).toBe(2)
    expect((await run('timeline')).stderr).toMatch(/from .*; to /)
  })
})
