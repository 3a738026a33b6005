/** What settings do, seen from outside of the process that they are given to. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { akashi, akashiServer, type Running } from '../../scripts/akashi-process.ts'
import { openDatabase } from '../../src/postgres/index.ts'
import { ask, reachableFolder, removeDataDir } from '../support/embedded.ts'
import { tester } from '../support/tester.ts'

/** Below the 30 s that a statement may take by default: a test that waits for those fails. */
const SOON_MS = 20_000
const app = { name: 'shop', version: '2.1 (ab12cd)', tier: 'business', environment: 'staging' }

let data = ''
let superuser = ''
let running: Running

beforeAll(async () => {
  data = await reachableFolder()
  const flags = ['--port', '0', '--log-level', 'debug', '--statement-timeout-ms', '2000']
  running = await akashiServer(['up', '--data', data, ...flags], {
    env: {
      AKASHI_APP_NAME: app.name,
      AKASHI_APP_VERSION: app.version,
      AKASHI_APP_TIER: app.tier,
      AKASHI_APP_ENVIRONMENT: app.environment,
    },
  })
  superuser = (await akashi(['url', '--role', 'superuser', '--data', data])).stdout.trim()
})

afterAll(async () => {
  await running?.stop()
  await removeDataDir(data)
})

function signIn(password: string): Promise<Response> {
  return fetch(new URL('/v1/session', running.url), {
    method: 'POST',
    headers: { 'x-akashi-request': '1', 'content-type': 'application/json' },
    body: JSON.stringify({ login: 'admin', password }),
  })
}

/** Keeps everybody else out of a table while the work is done. */
async function whileLocked<T>(table: string, work: () => Promise<T>): Promise<T> {
  const database = openDatabase({ url: superuser, role: 'owner', poolSize: 1 })
  try {
    return await database.transaction(tester, async (session) => {
      await session.query(`lock table ${table} in access exclusive mode`)
      return await work()
    })
  } finally {
    await database.close()
  }
}

describe('the time that a statement may take', () => {
  it('holds for the requests of a server', { timeout: SOON_MS }, async () => {
    const answer = await whileLocked('akashi_auth.users', () => signIn('anything at all'))
    expect(await answer.json()).toMatchObject({ detail: 'the statement took too long' })
  })

  it('holds for a command', { timeout: SOON_MS }, async () => {
    const { status, stderr } = await whileLocked('akashi_lifecycle.jobs', () =>
      akashi(['jobs', 'list', '--data', data, '--statement-timeout-ms', '300']),
    )
    expect(stderr).toBe('akashi: the statement took too long\n')
    expect(status).toBe(3)
  })
})

describe('what the application calls itself', () => {
  it('is in the metrics', async () => {
    const metrics = await (await fetch(new URL('/metrics', running.url))).text()
    const labels = Object.entries(app).map(([name, value]) => `${name}="${value}"`)
    expect(metrics).toContain(`akashi_app_info{${labels.join(',')}} 1\n`)
  })

  it('is in every line of the log', async () => {
    await signIn('wrong')
    const lines = running.output().match(/^\{.*\}$/gm) ?? []
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ app })
  })

  it('names its connections', async () => {
    const connections = await ask(superuser, `select from pg_stat_activity where application_name = 'shop'`)
    expect(connections.length).toBeGreaterThan(0)
  })

  it('is the version in the trail of what requests change', async () => {
    const [, password = ''] = /one-time password \(shown only once\): (\S+)$/m.exec(running.output()) ?? []
    expect((await signIn(password)).status).toBe(200)
    const rows = await ask(
      superuser,
      `select distinct application_version as version from akashi_audit.audit_logs
       where table_name = 'user_sessions' and operation = 'INSERT'`,
    )
    expect(rows).toEqual([{ version: app.version }])
  })

  it('is told by status and doctor', async () => {
    const env = { AKASHI_APP_NAME: 'shop', AKASHI_APP_ENVIRONMENT: 'prod' }
    const text = /shop \S+, tier system, environment prod/
    expect((await akashi(['status', '--data', data], { env })).stdout).toMatch(text)
    expect((await akashi(['doctor', '--data', data], { env })).stdout).toMatch(text)
  })
})
