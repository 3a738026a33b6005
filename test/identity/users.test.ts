import type { NewUser } from '@akashi/contract'
import { describe, expect, it } from 'vitest'
import {
  convertPlainUsers,
  createUser,
  findUserByIdentity,
  findUserByLogin,
  listUsers,
  readUser,
  setAccountStatus,
  setClassification,
  updateUser,
} from '../../src/identity/index.ts'
import { person, type Session } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testKeyring } from './support.ts'

const database = testDatabase()
const keys = testKeyring()
const worker = database.open('worker')
const reader = database.open('reader')
const app = database.open('app')
const owner = database.open('owner')

const inWorker = <T>(work: (session: Session) => Promise<T>) => worker.transaction(tester, work)
const make = (username: string, more: Partial<NewUser> = {}) =>
  inWorker((session) =>
    createUser(session, keys.vault, { username, email: `${username}@example.com`, ...more }),
  )

describe('a user', () => {
  it('comes back as made, and nothing of e-mail and subject is plain in the table', async () => {
    const id = await make('tanaka', {
      issuer: 'https://id.example/a',
      subject: 'sub-tanaka-1',
      displayName: '田中',
      tenantId: 't1',
    })
    const expected = {
      id,
      issuer: 'https://id.example/a',
      subject: 'sub-tanaka-1',
      email: 'tanaka@example.com',
      username: 'tanaka',
      displayName: '田中',
      status: 'active',
      classification: 'internal',
      tenantId: 't1',
    }
    expect(await inWorker((session) => readUser(session, keys.vault, id))).toMatchObject(expected)
    const [row] = await database.asSuperuser(async (session) => {
      const { rows } = await session.query<Record<string, unknown>>(
        'select * from akashi_auth.users where id = $1',
        [id],
      )
      return rows
    })
    expect(row).toMatchObject({ email: null, subject: null, email_masked: 't***@example.com' })
    for (const value of Object.values(row ?? {})) {
      const text = Buffer.isBuffer(value) ? value.toString('latin1') : String(value)
      expect(text).not.toMatch(/tanaka@example|sub-tanaka/)
    }
  })

  it('is found by identity and by what its owner types, in any case', async () => {
    const id = await make('suzuki', { email: 'Suzuki@Example.com' })
    const elsewhere = await make('suzuki-sso', { issuer: 'https://id.example/b', subject: id })
    const found = await inWorker(async (session) => ({
      username: await findUserByLogin(session, keys.vault, 'suzuki'),
      email: await findUserByLogin(session, keys.vault, 'sUZUKI@example.COM'),
      identity: await findUserByIdentity(session, keys.vault, 'local', id),
      other: await findUserByIdentity(session, keys.vault, 'https://id.example/b', id),
      sso: await findUserByLogin(session, keys.vault, 'suzuki-sso'),
      none: await findUserByIdentity(session, keys.vault, 'https://id.example/c', id),
    }))
    expect(found).toMatchObject({
      username: { id },
      email: { id, email: 'Suzuki@Example.com' },
      identity: { id },
      other: { id: elsewhere },
      sso: null,
      none: null,
    })
  })

  it.each([
    ['username', { username: 'first', email: 'x1@example.com' }],
    ['e-mail in another case', { username: 'x2x', email: 'FIRST@example.com' }],
    ['subject', { username: 'x3x', email: 'x3@example.com', subject: 'the-subject' }],
  ])('is refused a taken %s', async (_, user) => {
    await make('first', { subject: 'the-subject' }).catch(() => undefined)
    const refused = inWorker((session) => createUser(session, keys.vault, user))
    await expect(refused).rejects.toMatchObject({ code: 'already_exists' })
  })

  it('may have the e-mail of another issuer', async () => {
    await make('same-local', { email: 'same@example.com' })
    await make('same-sso', { issuer: 'https://id.example/a', subject: 's', email: 'same@example.com' })
  })

  it.each([
    ['e-mail', { username: 'fine', email: 'not-an-address' }],
    ['username', { username: 'ab', email: 'fine@example.com' }],
  ])('is refused a wrong %s, which is not repeated', async (_, user) => {
    const refused = inWorker((session) => createUser(session, keys.vault, user))
    await expect(refused).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(refused).rejects.not.toThrow(/not-an-address/)
  })

  it('changes', async () => {
    const id = await make('before')
    await owner.transaction(tester, async (session) => {
      await updateUser(session, keys.vault, id, { email: 'after@example.com', displayName: 'After' })
      await setAccountStatus(session, id, 'suspended')
      await setClassification(session, id, 'restricted')
    })
    expect(await inWorker((session) => readUser(session, keys.vault, id))).toMatchObject({
      email: 'after@example.com',
      displayName: 'After',
      username: 'before',
      status: 'suspended',
      classification: 'restricted',
    })
    const stranger = app.transaction(tester, (session) => setAccountStatus(session, id, 'active'))
    await expect(stranger).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('is listed in pages', async () => {
    for (const n of [1, 2, 3]) await make(`paged-${n}`, { tenantId: 'paged' })
    const first = await inWorker((session) => listUsers(session, keys.vault, { tenantId: 'paged', limit: 2 }))
    expect(first.users.map(({ email }) => email)).toEqual(['paged-1@example.com', 'paged-2@example.com'])
    const second = await inWorker((session) =>
      listUsers(session, keys.vault, { tenantId: 'paged', limit: 2, cursor: first.next ?? '' }),
    )
    expect(second).toMatchObject({ users: [{ username: 'paged-3' }], next: null })
  })
})

describe('who may change users', () => {
  const asAdmin = async (name: string, role = 'sys_admin') => {
    const userId = await make(name)
    await owner.transaction(tester, (session) =>
      session.query('select akashi_auth.grant_role($1, $2)', [userId, role]),
    )
    return userId
  }

  it('is asked of the database', async () => {
    const admin = await asAdmin('admin-one')
    const [auditor, operator] = [
      await asAdmin('auditor-one', 'sys_auditor'),
      await asAdmin('operator-one', 'sys_operator'),
    ]
    const target = await make('target-one')
    const by = (userId: string, work: (session: Session) => Promise<unknown>) =>
      app.transaction(person({ userId }), work)
    const newUser = { username: 'made-by-app', email: 'made@example.com' }
    const attempts: [string, (session: Session) => Promise<unknown>][] = [
      ['create', (session) => createUser(session, keys.vault, newUser)],
      ['rename', (session) => updateUser(session, keys.vault, target, { displayName: 'X' })],
      ['e-mail', (session) => updateUser(session, keys.vault, target, { email: 'x@example.com' })],
      ['status', (session) => setAccountStatus(session, target, 'inactive')],
      ['classification', (session) => setClassification(session, target, 'confidential')],
    ]
    for (const [name, attempt] of attempts) {
      for (const userId of [target, auditor, operator])
        if (!(userId === target && name === 'rename'))
          await expect(by(userId, attempt), name).rejects.toMatchObject({ code: 'forbidden' })
      await by(admin, attempt)
    }
    expect(await by(admin, (session) => readUser(session, keys.vault, target))).toMatchObject({
      email: 'x@example.com',
      status: 'inactive',
    })
    expect(await by(auditor, (session) => readUser(session, keys.vault, target))).toMatchObject({
      id: target,
    })
    const stranger = await make('stranger-one')
    expect(await by(stranger, (session) => readUser(session, keys.vault, target))).toBeNull()
  })

  it('does not reach oneself', async () => {
    const admin = await asAdmin('admin-two')
    for (const own of [
      (session: Session) => setAccountStatus(session, admin, 'inactive'),
      (session: Session) => setClassification(session, admin, 'restricted'),
      (session: Session) => updateUser(session, keys.vault, admin, { email: 'mine@example.com' }),
    ])
      await expect(app.transaction(person({ userId: admin }), own)).rejects.toMatchObject({
        code: 'forbidden',
      })
  })

  it('keeps somebody who administers', async () => {
    await database.asSuperuser((session) =>
      session.query(
        `delete from akashi_auth.user_roles where role_id = (select id from akashi_auth.roles where name = 'sys_admin')`,
      ),
    )
    const last = await asAdmin('last-admin')
    const suspend = (id: string) =>
      owner.transaction(tester, (session) => setAccountStatus(session, id, 'suspended'))
    await expect(suspend(last)).rejects.toMatchObject({ code: 'conflict' })
    await asAdmin('next-admin')
    await suspend(last)
  })
})

describe('a ciphertext moved by SQL', () => {
  it.each([
    [
      'to another row',
      'update akashi_auth.users set email_encrypted = (select email_encrypted from akashi_auth.users where id = $1) where id = $2',
    ],
    [
      'to another column',
      'update akashi_auth.users set email_encrypted = subject_encrypted where id = $2 and $1::uuid is not null',
    ],
  ])('%s fails to decrypt', async (_, statement) => {
    const tag = statement.length
    const [one, two] = [await make(`moved-a${tag}`), await make(`moved-b${tag}`)]
    await database.asSuperuser((session) => session.query(statement, [one, two]))
    const read = inWorker((session) => readUser(session, keys.vault, two))
    await expect(read).rejects.toMatchObject({ code: 'integrity' })
  })
})

describe('rows that SQL wrote', () => {
  it('are encrypted in batches; a duplicate is named and left', async () => {
    await make('owner-of-mail', { email: 'dup@example.com' })
    const ids = await database.asSuperuser(async (session) => {
      const { rows } = await session.query<{ id: string }>(
        `insert into akashi_auth.users (issuer, subject, username, email)
         select 'https://id.example/old', 'old-' || n, 'old-' || n, 'old-' || n || '@example.com' from generate_series(1, 250) n
         union all select 'local', 'dup', 'dup', 'DUP@example.com' returning id`,
      )
      return rows.map(({ id }) => id)
    })
    const duplicate = ids.at(-1)
    expect(await convertPlainUsers(worker, tester, keys.vault)).toEqual({
      converted: 250,
      conflicts: [duplicate],
    })
    expect(
      await inWorker((session) => findUserByIdentity(session, keys.vault, 'https://id.example/old', 'old-7')),
    ).toMatchObject({ email: 'old-7@example.com' })
    const trail = await inWorker((session) =>
      session.query<{ values: string }>(
        `select concat(old_values, new_values) as values from akashi_audit.audit_logs where table_name = 'users' and record_id = $1`,
        [ids[6]],
      ),
    )
    expect(trail.rows.length).toBe(2)
    for (const { values } of trail.rows) expect(values).not.toContain('old-7')
    await database.asSuperuser((session) =>
      session.query('delete from akashi_auth.users where id = $1', [duplicate]),
    )
  })
})

describe('what others see', () => {
  it('is masked for a reader, under the names of the sources', async () => {
    const id = await make('masked', { displayName: '佐藤', email: 'sato@example.com' })
    const { rows } = await reader.transaction(tester, (session) =>
      session.query(
        'select username, email, display_name, subject from akashi_auth.masked_users where id = $1',
        [id],
      ),
    )
    expect(rows).toEqual([
      { username: 'm***', email: 's***@example.com', display_name: '佐***', subject: '***' },
    ])
    const direct = reader.transaction(tester, (session) => session.query('select * from akashi_auth.users'))
    await expect(direct).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('is ciphertext and digests in the trail', async () => {
    const id = await make('trailed', { displayName: 'Name in full' })
    const { rows } = await inWorker((session) =>
      session.query<{ new_values: Record<string, unknown>; text: string }>(
        'select new_values, new_values::text as text from akashi_audit.audit_logs where record_id = $1',
        [id],
      ),
    )
    expect(rows[0]?.text).not.toMatch(/trailed|Name in full|example\.com/)
    expect(rows[0]?.new_values).toMatchObject({
      email_encrypted: expect.stringMatching(/^\\x01/),
      username: { sha256: expect.any(String) },
    })
    expect(Object.keys(rows[0]?.new_values ?? {})).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/_index|_masked/)]),
    )
  })
})
