import { expect, test, vi } from 'vitest'
import { identityTasks, jobHistory, runNow, startWorker } from '../../src/operations/index.ts'
import { makeUser } from '../identity/people.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { keepingLog } from './keeping-log.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)

test('the trail names the job that changed a row, and who asked for the run', async () => {
  const user = await makeUser(database)
  await database.asSuperuser((session) =>
    session.query(
      `update akashi_auth.user_sessions set expires_at = now() - interval '1 year' where id = $1`,
      [user.sessionId],
    ),
  )
  const controller = new AbortController()
  const running = await startWorker({
    worker,
    directUrl: database.url('worker'),
    tasks: identityTasks(ledger.keyring),
    log: keepingLog(),
    signal: controller.signal,
  })
  await runNow(worker, user, 'identity-purge')
  await vi.waitFor(
    async () => expect(await jobHistory(worker, tester, 'identity-purge')).toMatchObject([{ state: 'done' }]),
    { timeout: 20_000, interval: 50 },
  )
  controller.abort()
  await running.done
  const { rows } = await database.asSuperuser((session) =>
    session.query(
      `select table_name, operation, user_id, subject, context_verified, db_user from akashi_audit.audit_logs
       where table_name in ('user_sessions', 'jobs') and db_user = 'akashi_worker' order by seq`,
    ),
  )
  const signed = { context_verified: true, db_user: 'akashi_worker' }
  expect(rows).toEqual([
    { table_name: 'jobs', operation: 'UPDATE', user_id: user.userId, subject: null, ...signed },
    {
      table_name: 'user_sessions',
      operation: 'DELETE',
      user_id: null,
      subject: 'system:identity-purge',
      ...signed,
    },
  ])
})
