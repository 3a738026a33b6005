/** Rows of akashi_lifecycle.settings, as an operator lists and changes them, and what they do. */
import { describe, expect, it } from 'vitest'
import * as chat from '../../src/chat/index.ts'
import { loadConfig } from '../../src/foundation/index.ts'
import type { DatabaseSetting } from '../../src/lifecycle/index.ts'
import { dataResidency } from '../../src/start/doctor/data-residency.ts'
import { makePerson } from '../chat/people.ts'
import { makeUser } from '../identity/people.ts'
import { testDatabase, tester } from '../support/index.ts'
import { akashi } from './world.ts'

const database = testDatabase()
/** A public key of age. */
const RECIPIENT = `age1${'q'.repeat(58)}`

const run = (role: 'owner' | 'worker', ...argv: string[]) =>
  akashi(['settings', ...argv], { world: { environment: { DATABASE_URL: database.url(role) } } })

const set = (key: string, value: string) => run('owner', 'set', key, value)

const ask = async (text: string, values: readonly unknown[] = []) =>
  (await database.asSuperuser((session) => session.query<Record<string, unknown>>(text, values))).rows

const stored = async (key: string) =>
  (await ask('select value from akashi_lifecycle.settings where key = $1', [key]))[0]?.['value']

describe('akashi settings', () => {
  it('lists every setting with its value', async () => {
    const { status, stdout } = await run('worker', 'list', '--json')
    expect(status).toBe(0)
    const { settings } = JSON.parse(stdout) as { settings: DatabaseSetting[] }
    expect(settings).toContainEqual(
      expect.objectContaining({
        key: 'temporary_data.retention_days',
        value: 7,
        accepts: 'a whole number of days, 1 or more',
      }),
    )
    expect((await run('worker')).stdout).toMatch(/^backup[.]retention_days +30 +how far back/m)
  })

  it('changes one, which the trail records', async () => {
    const outcome = await set('backup.retention_days', '60')
    expect(outcome).toEqual({ status: 0, stdout: 'backup.retention_days is now 60\n', stderr: '' })
    expect(await stored('backup.retention_days')).toBe(60)
    const trail = await ask(
      `select old_values ->> 'value' as old, new_values ->> 'value' as new from akashi_audit.audit_logs
       where table_name = 'settings' and operation = 'UPDATE'`,
    )
    expect(trail).toEqual([{ old: '30', new: '60' }])
  })

  it.each([
    ['organisation.time_zone', 'America/Argentina/Buenos_Aires', 'America/Argentina/Buenos_Aires'],
    ['organisation.time_zone', 'UTC', 'UTC'],
    ['organisation.data_residency', 'eu-central-1', 'eu-central-1'],
    ['backup.hold', 'true', true],
    ['backup.recipients', `${RECIPIENT}, ${RECIPIENT}`, [RECIPIENT, RECIPIENT]],
    ['backup.recipients', '', []],
    ['keys.wrapping.rotation_days', '0', 0],
  ])('%s may be %j', async (key, text, value) => {
    expect((await set(key, text)).stderr).toBe('')
    expect(await stored(key)).toEqual(value)
  })

  it.each([
    ['backup.retention_days', '0'],
    ['backup.retention_days', '-1'],
    ['backup.retention_days', '1.5'],
    ['backup.retention_days', '1e9'],
    ['backup.retention_days', ''],
    ['backup.retention_days', 'Infinity'],
    ['backup.retention_days', 'ten'],
    ['backup.hold', '1'],
    ['backup.recipients', 'AGE-SECRET-KEY-1QQ'],
    ['backup.recipients', 'age1abc'],
    ['backup.recipients', `${RECIPIENT},`],
    ['organisation.time_zone', 'Asia/Edo'],
    ['organisation.time_zone', 'JST'],
    ['organisation.time_zone', "Asia/Tokyo'"],
    ['organisation.data_residency', 'the moon'],
    ['organisation.data_residency', ''],
  ])('%s cannot be %j', async (key, text) => {
    const before = await stored(key)
    const { status, stderr } = await set(key, text)
    expect(stderr).toMatch(new RegExp(`^akashi: ${key} must be [^\\n]+\\n$`))
    expect(status).toBe(2)
    expect(await stored(key)).toEqual(before)
  })

  it.each([
    ['backup.retention_day', 'hint: did you mean backup.retention_days?'],
    ['organization.time_zone', 'hint: did you mean organisation.time_zone?'],
    ['colour', 'hint: list them with akashi settings list'],
  ])('there is no %s', async (key, hint) => {
    const { stderr } = await set(key, '1')
    expect(stderr).toBe(`akashi: setting not found: ${key}\n${hint}\n`)
  })

  it('does not rename the ledger', async () => {
    const { status, stderr } = await set('ledger.origin', 'example.org/mine')
    expect(status).not.toBe(0)
    expect(stderr).toMatch(/^akashi: ledger[.]origin /)
  })
})

describe('in the database', () => {
  it.each(['app', 'worker', 'reader', 'security_admin'] as const)(
    '%s reads and cannot change',
    async (role) => {
      const pool = database.open(role)
      const read = await pool.transaction(tester, (session) =>
        session.query(`select akashi_lifecycle.setting('session.retention_days') as days`),
      )
      expect(read.rows).toEqual([{ days: 30 }])
      await expect(
        pool.transaction(tester, (session) =>
          session.query(`update akashi_lifecycle.settings set value = '1'`),
        ),
      ).rejects.toMatchObject({ code: 'forbidden' })
    },
  )

  it('a setting that is not there is an error and not an empty value', async () => {
    await expect(
      database
        .open('worker')
        .transaction(tester, (session) => session.query(`select akashi_lifecycle.setting('colour')`)),
    ).rejects.toMatchObject({ code: 'not_found', message: 'setting not found: colour' })
  })

  it('an administrator who writes SQL is refused the same values', async () => {
    await expect(
      ask(`update akashi_lifecycle.settings set value = '"7"' where key = 'session.retention_days'`),
    ).rejects.toThrow()
    await expect(
      ask(`update akashi_lifecycle.settings set value = '"Asia/Edo"' where key = 'organisation.time_zone'`),
    ).rejects.toThrow()
  })
})

describe('what they do', () => {
  it('somebody who has not chosen a time zone has that of the organisation', async () => {
    const app = database.open('app')
    const person = await makePerson(database, app, 'sao')
    const timeZone = async () => (await chat.setPreferences(app, person.actor)).timeZone
    await set('organisation.time_zone', 'America/Sao_Paulo')
    expect(await timeZone()).toBe('America/Sao_Paulo')
    await chat.setPreferences(app, person.actor, { timeZone: 'Asia/Seoul' })
    await set('organisation.time_zone', 'Asia/Tokyo')
    expect(await timeZone()).toBe('Asia/Seoul')
  })

  it('new users are recorded with the region that data must stay in', async () => {
    await set('organisation.data_residency', 'eu-west-1')
    const { userId } = await makeUser(database)
    expect(await ask('select data_residency from akashi_auth.users where id = $1', [userId])).toEqual([
      { data_residency: 'eu-west-1' },
    ])
  })

  describe('doctor compares the region that data must stay in', () => {
    const tokyo = 'region=ap-northeast-1'
    const keys = `awskms:alias/akashi?folder=/tmp&${tokyo}`
    const store = `s3://bucket?${tokyo}`
    const direct = 'postgresql://db.abc.ap-northeast-1.rds.amazonaws.com/app'

    it.each([
      [{}, true, 'ap-northeast-1: nothing configured names a region'],
      [{ KEYS_URL: keys, OBJECT_STORE_URL: store }, true, 'ap-northeast-1: object store, keys'],
      [{ DATABASE_DIRECT_URL: direct }, true, 'ap-northeast-1: database'],
      // A store of another make may call its region what it likes.
      [
        { OBJECT_STORE_URL: 's3://bucket?region=us-east-1&endpoint=http://store' },
        true,
        'ap-northeast-1: nothing configured names a region',
      ],
      [
        { KEYS_URL: keys, OBJECT_STORE_URL: 's3://bucket?region=eu-west-1' },
        false,
        'data must stay in ap-northeast-1; object store in eu-west-1',
      ],
      [
        { KEYS_URL: keys.replace('ap-north', 'ap-south') },
        false,
        'data must stay in ap-northeast-1; keys in ap-southeast-1',
      ],
      [
        { DATABASE_DIRECT_URL: direct.replace('ap-northeast-1', 'us-gov-west-1') },
        false,
        'data must stay in ap-northeast-1; database in us-gov-west-1',
      ],
    ])('%j', async (given, ok, detail) => {
      await set('organisation.data_residency', 'ap-northeast-1')
      const environment = { DATABASE_URL: database.url('worker'), ...given }
      const config = await loadConfig({ environment, directory: '/nonexistent' })
      const { signal } = new AbortController()
      expect(await dataResidency.run({ config, actor: tester, signal, wrong: new Set() })).toMatchObject({
        ok,
        detail,
      })
    })

    it('and leaves a database that is away to other checks', async () => {
      const { stdout } = await akashi(['doctor'])
      expect(stdout).toMatch(/^ok +installation +data residency +not checked: no database is running/m)
    })
  })
})
