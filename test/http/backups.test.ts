/** What is asked of the workers about backups: who may, what the trail keeps, where the run is seen. */
import type { PermissionName } from '@akashi/contract'
import { beforeAll, describe, expect, it } from 'vitest'
import { createApiKey } from '../../src/identity/index.ts'
import { copyAuditLogs, openLogBackupStore } from '../../src/operations/index.ts'
import { makeUser } from '../identity/people.ts'
import { testServer } from '../identity/server.ts'
import { testKeyring } from '../identity/support.ts'
import { testStore } from '../lifecycle/support/archive.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { overSocket } from './client.ts'

const database = testDatabase()
const worker = database.open('worker')
const application = database.open('app')
const ledger = testLedger(worker)
const keys = testKeyring()
const place = testStore()
const server = testServer(database)
const tokens = { read: '', write: '', admin: '', other: '' }
let app: ReturnType<typeof server.app>
let userId: string

beforeAll(async () => {
  const user = await makeUser(database, 'sys_admin')
  userId = user.userId
  const scopes: Record<keyof typeof tokens, PermissionName[]> = {
    read: ['backup:read'],
    write: ['backup:read', 'backup:write'],
    admin: ['backup:read', 'backup:write', 'backup:admin'],
    other: ['query:read'],
  }
  for (const name of ['read', 'write', 'admin', 'other'] as const) {
    tokens[name] = (await createApiKey(application, user, { name, scopes: scopes[name] })).key
  }
  const none = () => Promise.reject(new Error('there is no backup here'))
  app = server.app(
    {},
    {
      backups: {
        open: none,
        point: none,
        planPrune: none,
        restoreTable: none,
        openForAuditCopies: () =>
          openLogBackupStore({ keyring: keys.keyring, store: place.store, worker, actor: tester }),
      },
    },
  )
})

async function ask(as: keyof typeof tokens, method: 'GET' | 'POST', path: string, payload?: object) {
  const answer = await overSocket(app, {
    method,
    url: `/v1${path}`,
    headers: { host: 'localhost', authorization: `Bearer ${tokens[as]}` },
    ...(payload === undefined ? {} : { payload }),
  })
  return { status: answer.statusCode, body: answer.json() }
}

const asked = [
  ['write', '/backups', { kind: 'full' }, 'full', 'backup-full'],
  ['write', '/backups', { kind: 'incremental' }, 'incremental', 'backup-incremental'],
  ['write', '/backups', { kind: 'audit-copy' }, 'audit-copy', 'backup-audit-copy'],
  ['write', '/backups/verifications', undefined, 'verification', 'backup-verify'],
  ['write', '/drills', undefined, 'drill', 'backup-drill'],
  ['write', '/drills', { kind: 'drill' }, 'drill', 'backup-drill'],
  ['write', '/drills', { kind: 'recovery_test' }, 'recovery_test', 'backup-recovery-test'],
  ['admin', '/backups/prune', undefined, 'prune', 'backup-prune'],
  ['admin', '/backups/rewrap', undefined, 'rewrap', 'backup-rewrap'],
] as const

describe('what takes long', () => {
  it.each(asked)('is asked for by %s at %s %j, and its run is seen', async (least, path, body, what, job) => {
    const less = { write: 'read', admin: 'write' } as const
    expect((await ask(less[least], 'POST', path, body)).status).toBe(403)
    const answer = await ask(least, 'POST', path, body)
    expect(answer).toEqual({
      status: 202,
      body: { requestedAt: expect.any(String), runs: `/v1/backups/runs/${what}` },
    })
    const { requestedAt } = answer.body
    const { rows } = await database.asSuperuser((session) =>
      session.query(
        `select user_id, context_verified as verified from akashi_audit.audit_logs
         where table_name = 'jobs' and record_id = $1 order by id desc limit 1`,
        [job],
      ),
    )
    expect(rows).toEqual([{ user_id: userId, verified: true }])

    await worker.transaction(tester, async (session) => {
      const begun = await session.query<{ id: string }>(
        'select akashi_lifecycle.begin_run($1, $2, $3) as id',
        [job, 'worker of a test', requestedAt],
      )
      await session.query('select akashi_lifecycle.finish_run($1, $2, $3, $4, $5)', [
        begun.rows[0]?.id,
        'worker of a test',
        'done',
        null,
        JSON.stringify({ objects: 3 }),
      ])
    })
    expect(await ask('read', 'GET', `/backups/runs/${what}?limit=1`)).toEqual({
      status: 200,
      body: {
        runs: [
          {
            id: expect.any(String),
            dueAt: requestedAt,
            startedAt: expect.any(String),
            finishedAt: expect.any(String),
            state: 'done',
            message: null,
            progress: null,
            result: { objects: 3 },
          },
        ],
      },
    })
  })

  it('is refused where it names nothing, or whoever asks has no permission', async () => {
    expect((await ask('admin', 'POST', '/backups', { kind: 'differential' })).status).toBe(400)
    expect((await ask('admin', 'POST', '/drills', { kind: 'whole' })).status).toBe(400)
    expect((await ask('admin', 'GET', '/backups/runs/verify')).status).toBe(400)
    expect((await ask('admin', 'POST', '/backups/points', { name: '' })).status).toBe(400)
    expect((await ask('read', 'POST', '/backups/points', { name: 'a' })).status).toBe(403)
    for (const path of ['', '/audit-copies', '/runs/full', '/prune/plan']) {
      expect((await ask('other', 'GET', `/backups${path}`)).status, path).toBe(403)
    }
  })
})

it('lists the long-term copies of the audit log', async () => {
  expect(await ask('read', 'GET', '/backups/audit-copies')).toEqual({ status: 200, body: { copies: [] } })
  await ledger.seal()
  const taken = await copyAuditLogs({
    keyring: keys.keyring,
    store: place.store,
    worker,
    actor: tester,
  })
  const { body } = await ask('read', 'GET', '/backups/audit-copies')
  expect(body.copies).toMatchObject([
    { id: taken.id, tiers: ['near', 'cold'], manifest: { bytes: taken.bytes }, problem: null },
  ])
  expect(body.copies[0].manifest.logs.map(({ log }: { log: string }) => log)).toContain('audit_logs')
})
