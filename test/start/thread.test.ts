/** The whole thread as its user meets it: `bin/akashi` in processes of its own, on a folder of its own. */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { akashi, akashiUp, type Outcome, type Running } from '../../scripts/akashi-process.ts'
import { logGenerators, SSHD_LOG_TIMEZONE, SSHD_LOG_YEAR } from '../../scripts/event-logs/index.ts'
import { readVersion } from '../../src/foundation/index.ts'
import {
  clusterStatus,
  type Database,
  type DirectSession,
  openDatabase,
  removeCluster,
} from '../../src/postgres/index.ts'

const LINES = 2_000
const SEED = 7
const POLL_MS = 100
/** Rows wait for the sealer for less than a second; a machine that is busy may take longer. */
const SEALED_WITHIN_MS = 20_000

const realLog = resolve(import.meta.dirname, '../../../shared/data/openssh/OpenSSH_2k.log')

let data: string
let running: Running
let superuser: Database
const outputs: (() => string)[] = []

interface Status {
  readonly events: string
  readonly auditRows: string
  readonly protectedTables: readonly string[]
  readonly logs: readonly { readonly log: string; readonly size: string; readonly pending: number }[]
  readonly lastVerification: { readonly ok: boolean } | null
}

interface Loaded {
  readonly read: number
  readonly accepted: number
  readonly rejected: readonly { readonly line: number; readonly reason: string }[]
  readonly rejectedTotal: number
  readonly stored: number
  readonly known: number
}

const verb = (...args: string[]): Promise<Outcome> => akashi([...args, '--data', data])

async function document<T>(...args: string[]): Promise<T> {
  const { status, stdout, stderr } = await verb(...args, '--json')
  expect(status, stderr).toBe(0)
  return JSON.parse(stdout)
}

async function start(): Promise<void> {
  running = await akashiUp(data, { env: { AKASHI_LOG_LEVEL: 'debug' } })
  outputs.push(running.output)
  const { url } = await document<{ url: string }>('url', '--role', 'superuser')
  superuser = openDatabase({ url, role: 'owner', applicationName: 'akashi test' })
}

async function systemStatus(): Promise<Status> {
  const response = await fetch(`${running.url}/v1/status`)
  expect(response.status).toBe(200)
  return (await response.json()) as Status
}

/** The state once nothing waits for the sealer. */
async function sealed(): Promise<Status> {
  const deadline = performance.now() + SEALED_WITHIN_MS
  for (;;) {
    const state = await systemStatus()
    if (state.logs.every(({ pending }) => pending === 0)) return state
    expect(performance.now(), 'rows wait for the sealer').toBeLessThan(deadline)
    await sleep(POLL_MS)
  }
}

async function rows<R>(text: string, values: readonly unknown[] = []): Promise<R[]> {
  return (await superuser.direct((session) => session.query<R>(text, values))).rows
}

async function counts(): Promise<Record<string, number>> {
  const [found] = await rows<Record<string, number>>(
    `select (select count(*)::integer from akashi_audit.audit_logs) as trail,
            (select count(*)::integer from akashi_security.security_events) as events,
            (select count(*)::integer from akashi_security.security_events where source_service = 'sshd') as loaded,
            (select count(*)::integer from akashi_audit.ledger_entries) as entries,
            (select count(*)::integer from akashi_audit.audit_logs where table_name = 'orders') as changes,
            (select count(*)::integer from public.orders) as orders`,
  )
  if (found === undefined) throw new Error('count(*) answers a row')
  return found
}

/** Processes of the server, by the folder that each of them works in. */
async function serverProcesses(clusterDir: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')))
  return pids.filter((_, i) => folders[i] === clusterDir)
}

/** A guard that was off, and a row that was changed, are reported for good; here an administrator answers for them. */
async function settle(): Promise<void> {
  const explanation = 'the rows are as they were'
  const recorded = await verb('audit', 'record-catalog', '--reason', explanation)
  expect(recorded.status, recorded.stderr).toBe(0)
  const settled = await verb('crosscheck', 'settle', '--explanation', explanation)
  expect(settled.status, settled.stderr).toBe(0)
}

/** What a superuser would do who wants no trace: the guards off, the change, the guards on again. */
async function tamper(work: (session: DirectSession) => Promise<unknown>): Promise<void> {
  await superuser.direct(async (session) => {
    await session.query('begin')
    const { rows: guards } = await session.query<{ relation: string }>(
      `select tgrelid::regclass::text as relation from pg_trigger
       where tgname = 'refuse_change' and tgrelid in (select relid from pg_partition_tree('akashi_audit.audit_logs'))`,
    )
    for (const { relation } of guards) {
      await session.query(`alter table ${relation} disable trigger refuse_change`)
    }
    await work(session)
    for (const { relation } of guards) {
      await session.query(`alter table ${relation} enable always trigger refuse_change`)
    }
    await session.query('commit')
  })
}

/** Ids of some sealed rows of the trail that are about orders. */
async function sealedOrder(offset: number): Promise<string> {
  const [row] = await rows<{ id: string }>(
    `select id from akashi_audit.audit_logs where table_name = 'orders' order by xid, seq offset $1 limit 1`,
    [offset],
  )
  if (row === undefined) throw new Error('no such row')
  return row.id
}

async function expectNamed(kind: string, id: string): Promise<void> {
  const { status, stdout } = await verb('verify')
  expect(status).toBe(1)
  expect(stdout).toMatch(new RegExp(`^ {2}${kind}\\b.*${id}`, 'm'))
}

async function expectClean(): Promise<void> {
  const { status, stdout, stderr } = await verb('verify')
  expect(status, `${stdout}${stderr}`).toBe(0)
}

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'akashi-thread-'))
  await start()
})

afterAll(async () => {
  await superuser?.close()
  await running?.stop()
  await removeCluster(data)
  await rm(data, { recursive: true, force: true })
})

describe('akashi up', () => {
  it('says where it serves, and status says the same', async () => {
    const status = await document<Record<string, unknown>>('status')
    expect(status).toEqual({
      app: { name: 'akashi', version: readVersion(), tier: 'system', environment: 'dev' },
      http: running.url,
      pid: running.pid,
      objectStore: `file://${data}/objects`,
      place: expect.stringMatching(/^127\.0\.0\.1:\d+\/akashi$/),
      database: expect.stringMatching(/^postgresql:\/\/akashi_app:[^@]+@127\.0\.0\.1:\d+\/akashi$/),
      superuser: expect.stringMatching(/^postgresql:\/\/postgres:[^@]+@127\.0\.0\.1:\d+\/akashi$/),
    })
    const text = await verb('status')
    expect(text.stdout).toContain(running.url)
    expect(text.stdout).not.toMatch(/:[^/\s]+@/)
  })

  it('serves the page and the state of the thread', async () => {
    const page = await fetch(running.url)
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toContain('text/html')
    expect(await page.text()).toContain('Akashi')
    expect((await fetch(`${running.url}/healthz`)).status).toBe(200)
    expect((await systemStatus()).logs.map(({ log }) => log)).toEqual([
      'audit_logs',
      'security_events',
      'login_attempts',
    ])
  })

  it.each<[string, string[], Record<string, string>, number, RegExp]>([
    ['a second start on the folder', [], {}, 2, /already/],
    ['a port that is none', ['--port', '99999'], {}, 2, /port/],
    [
      'a database of its own beside DATABASE_URL',
      [],
      { DATABASE_URL: 'postgresql://u:hidden@h/d' },
      2,
      /DATABASE_URL/,
    ],
  ])('refuses %s with one line and a hint', async (_, args, env, status, message) => {
    const refused = await akashi(['up', '--data', data, ...args], { env })
    expect(refused.status, refused.stderr).toBe(status)
    const lines = refused.stderr.trimEnd().split('\n')
    expect(lines).toEqual([expect.stringMatching(/^akashi: /), expect.stringMatching(/^hint: /)])
    expect(lines[0]).toMatch(message)
    expect(refused.stderr).not.toContain('hidden')
    expect((await fetch(running.url)).status).toBe(200)
  })

  it('says which port is in use, and leaves nothing behind', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const folder = await mkdtemp(join(tmpdir(), 'akashi-thread-port-'))
    try {
      const address = other.address()
      const port = typeof address === 'object' && address !== null ? String(address.port) : ''
      const refused = await akashi(['up', '--data', folder, '--port', port])
      expect(refused.status, refused.stderr).toBe(2)
      expect(refused.stderr).toMatch(new RegExp(`^akashi: .*:${port} is in use`, 'm'))
      expect(refused.stderr).toMatch(/^hint: /m)
      expect(await readdir(folder)).toEqual([])
    } finally {
      other.close()
      await rm(folder, { recursive: true, force: true })
    }
  })
})

describe('the thread', () => {
  it('takes a log in once, however often it is read', async () => {
    const file = join(data, 'sshd.log')
    const log = logGenerators.sshd(LINES, SEED)
    const lines: string[] = []
    let next = log.next()
    for (; !next.done; next = log.next()) lines.push(next.value)
    await writeFile(file, `${lines.join('\n')}\n`)
    const options = [
      '--format',
      'sshd',
      '--year',
      String(SSHD_LOG_YEAR),
      '--timezone',
      SSHD_LOG_TIMEZONE,
    ] as const
    const first = await document<Loaded>('ingest', file, ...options)
    expect(first).toMatchObject({
      read: LINES,
      accepted: next.value.accepted,
      rejectedTotal: next.value.rejected,
      stored: next.value.events,
      known: 0,
    })
    expect(first.rejected.every(({ reason }) => reason !== '')).toBe(true)
    const second = await document<Loaded>('ingest', file, ...options)
    expect(second).toMatchObject({ stored: 0, known: next.value.events })
    const counted = await rows<{ address: string; failures: number }>(
      `select host(source_ip) as address, count(*)::integer as failures from akashi_security.security_events
       where event_type = 'authentication_failure' group by 1`,
    )
    expect(Object.fromEntries(counted.map(({ address, failures }) => [address, failures]))).toEqual(
      next.value.failuresByAddress,
    )
  })

  it('records the changes of a table under audit and seals all of it', async () => {
    await superuser.direct((session) =>
      session.query('create table public.orders (id integer primary key, customer text, total numeric)'),
    )
    expect((await verb('protect', 'public.orders', '--subject', 'customer')).stdout).toBe(
      'public.orders is protected\n',
    )
    await superuser.direct(async (session) => {
      await session.query(
        "insert into public.orders select i, 'c' || i, i * 100 from generate_series(1, 20) i",
      )
      await session.query('update public.orders set total = total + 1 where id <= 5')
      await session.query('delete from public.orders where id = 20')
    })
    const state = await sealed()
    expect(state.protectedTables).toContain('public.orders')
    const { trail = 0, events = 0, entries } = await counts()
    expect([state.auditRows, state.events]).toEqual([String(trail), String(events)])
    expect(entries).toBe(trail + events)
    const changes = await rows<{ operation: string; count: number }>(
      `select operation, count(*)::integer as count from akashi_audit.audit_logs where table_name = 'orders' group by 1 order by 1`,
    )
    expect(changes).toEqual([
      { operation: 'DELETE', count: 1 },
      { operation: 'INSERT', count: 20 },
      { operation: 'UPDATE', count: 5 },
    ])
    await expectClean()
    expect((await systemStatus()).lastVerification).toMatchObject({ ok: true })
  })

  it.runIf(existsSync(realLog))('takes every event of a real log, and nothing the second time', async () => {
    const before = await counts()
    const options = ['--format', 'sshd', '--year', '2016', '--timezone', 'Asia/Shanghai'] as const
    const first = await document<Loaded>('ingest', realLog, ...options)
    const raw = (await readFile(realLog, 'utf8')).trimEnd().split('\n')
    expect(first.read).toBe(raw.length)
    expect(first.accepted + first.rejectedTotal).toBe(raw.length)
    expect(first.rejected).toHaveLength(first.rejectedTotal)
    expect(await document<Loaded>('ingest', realLog, ...options)).toMatchObject({
      stored: 0,
      known: first.stored,
    })
    // Those of sshd only: the server beside it records events of its own at any moment.
    expect((await counts())['loaded']).toBe((before['loaded'] ?? 0) + first.stored)
  })
})

describe('a superuser who alters what is sealed', () => {
  it('is found by a changed row', async () => {
    const id = await sealedOrder(3)
    const set = (total: number) =>
      tamper((session) =>
        session.query(
          `update akashi_audit.audit_logs set new_values = jsonb_set(new_values, '{total}', to_jsonb($2::integer)) where id = $1`,
          [id, total],
        ),
      )
    await set(1)
    await expectNamed('changed', id)
    expect((await systemStatus()).lastVerification).toMatchObject({ ok: false })
    await set(400)
    const { status, stdout } = await verb('verify')
    expect([status, stdout]).toEqual([1, expect.stringContaining('refuse_change')])
    await settle()
    await expectClean()
  })

  it('is found by a removed row', async () => {
    const id = await sealedOrder(7)
    await superuser.direct((session) =>
      session.query(`create table public.kept as select * from akashi_audit.audit_logs where id = '${id}'`),
    )
    await tamper((session) => session.query('delete from akashi_audit.audit_logs where id = $1', [id]))
    await expectNamed('removed', id)
    await tamper((session) => session.query('insert into akashi_audit.audit_logs select * from public.kept'))
    await superuser.direct((session) => session.query('drop table public.kept'))
    await settle()
    await expectClean()
  })

  it('is found by a row put below the frontier', async () => {
    const forged = '0199d3a0-0000-7000-8000-00000000beef'
    await tamper(async (session) =>
      session.query(
        `insert into akashi_audit.audit_logs (id, created_at, seq, xid, action, context_verified)
         select $2, created_at, seq, xid, 'forged', true from akashi_audit.audit_logs where id = $1`,
        [await sealedOrder(5), forged],
      ),
    )
    await expectNamed('added', forged)
    await tamper((session) => session.query('delete from akashi_audit.audit_logs where id = $1', [forged]))
    await settle()
    await expectClean()
  })
})

describe('stopping', () => {
  it('loses nothing when node and PostgreSQL are killed at once', async () => {
    await sealed()
    await superuser.direct((session) =>
      session.query("insert into public.orders select i, 'late', i from generate_series(101, 200) i"),
    )
    const { events, orders, changes } = await counts()
    await superuser.close()
    const { pid } = await clusterStatus(data)
    if (pid === undefined) throw new Error('no server runs')
    process.kill(pid, 'SIGKILL')
    process.kill(running.pid, 'SIGKILL')
    expect(await running.exited).toBe(null)

    await start()
    await sealed()
    const after = await counts()
    expect(after).toMatchObject({ orders, changes })
    // The server that starts again records events of its own.
    expect(after['events']).toBeGreaterThanOrEqual(events ?? 0)
    // It may record one between any two statements of ours, which is sealed a moment later.
    await expect
      .poll(async () => {
        const { trail = 0, events: recorded = 0, entries = 0 } = await counts()
        return trail + recorded - entries
      })
      .toBe(0)
    await expectClean()
  })

  it('ends in order on SIGTERM, and leaves no process and no record of one', async () => {
    await superuser.close()
    const { clusterDir } = await clusterStatus(data)
    expect(await serverProcesses(clusterDir)).not.toEqual([])
    expect(await running.stop()).toBe(0)
    expect(await serverProcesses(clusterDir)).toEqual([])
    expect(await readdir(data)).not.toContain('run.json')
    expect((await verb('status')).status).toBe(3)
    const lost = await verb('verify')
    expect(lost.status).toBe(3)
    expect(lost.stderr).toMatch(/^akashi: no database is running .*\nhint: .*\n$/)
  })

  it('has printed no password of the database', async () => {
    const { passwordFile } = await clusterStatus(data)
    const password = (await readFile(passwordFile, 'utf8')).trim()
    expect(password.length).toBeGreaterThan(10)
    expect(outputs).toHaveLength(2)
    for (const output of outputs) {
      expect(output()).not.toContain(password)
      expect(output()).not.toMatch(/postgres(ql)?:\/\/[^\s:/]+:[^\s*@]+@/)
    }
  })
})
