/** Lost tables and lost machines, brought back as their operator does it. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { akashi, akashiUp, type Running } from '../../scripts/akashi-process.ts'
import { ask, dropSpareDatabases, reachableFolder, removeDataDir } from '../support/embedded.ts'

const MINUTES_MS = 300_000

let data: string
let running: Running
let superuser: string

async function document<T>(args: readonly string[], status = 0, folder = data): Promise<T> {
  const outcome = await akashi([...args, '--json', '--data', folder])
  expect(outcome.status, outcome.stderr + outcome.stdout.slice(0, 2_000)).toBe(status)
  return JSON.parse(outcome.stdout) as T
}

async function sql<R>(text: string): Promise<R[]> {
  return await ask<R>(superuser, text)
}

/** A moment between two statements, by the server's clock. */
async function moment(): Promise<string> {
  await sleep(20)
  const [row] = await sql<{ now: string }>(
    `select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as now`,
  )
  await sleep(20)
  return row?.now ?? ''
}

/** Waits until the store can bring a moment back. */
async function restorable(at: string): Promise<void> {
  await expect
    .poll(
      async () => {
        const { restorable: window } = await document<{ restorable: { to: string | null } }>([
          'backup',
          'list',
        ])
        return (window.to ?? '') > at
      },
      { timeout: 60_000, interval: 1_000 },
    )
    .toBe(true)
}

beforeAll(async () => {
  data = await reachableFolder()
  running = await akashiUp(data)
  superuser = (await document<{ url: string }>(['url', '--role', 'superuser'])).url
  await dropSpareDatabases(superuser)
  // Those of the schedule, at whatever time the test runs, would come between its own.
  await sql(
    `select akashi_lifecycle.pause_job(name, true) from akashi_lifecycle.jobs where name like 'backup-%'`,
  )
  await sql('create table public.orders (id integer primary key, note text)')
  await sql(`select akashi_audit.protect('public.orders')`)
  await sql(`insert into public.orders select i, 'order ' || i from generate_series(1, 500) i`)
}, MINUTES_MS)

afterAll(async () => {
  await running?.stop()
  await removeDataDir(data)
})

let beforeLoss = ''

it(
  'a dropped table is back in seconds, and lost rows are compared and applied for a reason',
  async () => {
    await document(['backup', 'full'])
    await sql(`update public.orders set note = 'shipped' where id <= 100`)
    await document(['backup', 'incremental'])
    await sql(`update public.orders set note = 'paid' where id = 7`)
    beforeLoss = await moment()
    await sql('delete from public.orders where id between 10 and 19')
    await restorable(beforeLoss)
    const args = ['restore', '--table', 'orders', '--at', beforeLoss]
    const compared = await document<{ difference: { missing: number; changed: number }; applied: null }>([
      ...args,
      '--diff',
    ])
    expect(compared).toMatchObject({ difference: { missing: 10, changed: 0, added: 0 }, applied: null })
    await document([...args, '--apply', '--reason', 'deleted by mistake']).then((applied) =>
      expect(applied).toMatchObject({ applied: { inserted: 10, updated: 0 } }),
    )
    expect(await sql('select count(*)::integer as rows from orders')).toEqual([{ rows: 500 }])
    const trail = await sql<{ reason: string }>(
      `select detail ->> 'reason' as reason from akashi_audit.audit_logs where event_type = 'table_restored' and action = 'apply'`,
    )
    expect(trail).toEqual([{ reason: 'deleted by mistake' }])
    // Nothing of the temporary login is left in the catalog for verification to report.
    expect((await document<{ ok: boolean }>(['verify'])).ok).toBe(true)
    await sql('drop table public.orders')
    const restored = await document<{ table: string; rows: number; seconds: number; target: string }>([
      ...args,
      '--into',
      'orders_back',
    ])
    expect(restored).toMatchObject({ table: 'public.orders_back', rows: 500, target: beforeLoss })
    expect(
      await sql(
        'select note, count(*)::integer as rows from orders_back where id <= 101 group by 1 order by 2 desc, 1',
      ),
    ).toEqual([
      { note: 'shipped', rows: 99 },
      { note: 'order 101', rows: 1 },
      { note: 'paid', rows: 1 },
    ])
    await document([...args, '--into', 'orders_back'], 2)
    // A folder of somebody else, which a mistyped name may lead to, is left alone.
    const foreign = await mkdtemp(join(tmpdir(), 'akashi-foreign-'))
    await writeFile(join(foreign, 'passwd'), '')
    const refused = await document<{ error: { message: string } }>(['restore', '--to', foreign], 2)
    expect(refused.error.message).toContain('is not empty: it has passwd')
    expect(await readdir(foreign)).toEqual(['passwd'])
    // Nor is one whose keyring is another.
    await rm(join(foreign, 'passwd'))
    await mkdir(join(foreign, 'keys'))
    await document(['restore', '--to', foreign], 2)
    expect(await readdir(foreign)).toEqual(['keys'])
    await rm(foreign, { recursive: true })
    // Nothing of the scratch servers is left.
    expect(await readdir(join(data, 'scratch'))).toEqual([])
    // A copy of the audit log in another schema would escape the permissions of the audit log.
    const own = ['restore', '--table', 'akashi_audit.audit_logs', '--at', beforeLoss, '--into', 'audit_then']
    expect(await document(own, 2)).toMatchObject({ error: { code: 'unsupported' } })
    expect(await sql(`select to_regclass('public.audit_then') as copy`)).toEqual([{ copy: null }])
  },
  MINUTES_MS,
)

interface Report {
  readonly ok: boolean
  readonly rpoSeconds: number
  readonly rtoSeconds: number
  readonly phases: readonly { readonly phase: string }[]
  readonly comparedWith: readonly string[] | null
  readonly problems: readonly string[]
  readonly object: string
}

it(
  'a drill passes with what it measured, and fails naming the object that is damaged',
  async () => {
    const published = async () =>
      (await readdir(join(data, 'objects/objects/backups'), { recursive: true })).filter((name) =>
        name.includes('history'),
      )
    const histories = await published()
    // The half-yearly test; the runbook's test makes a drill to a random moment.
    const passed = await document<Report>(['drill', '--latest'])
    expect(passed).toMatchObject({ ok: true, problems: [] })
    expect(passed.rpoSeconds).toBeLessThan(60)
    expect(passed.rtoSeconds).toBeGreaterThan(0)
    expect(passed.comparedWith).toHaveLength(1)
    expect(passed.phases.map(({ phase }) => phase)).toEqual([
      ...['catalog', 'fetch', 'recovery', 'structure', 'ledger', 'content', 'comparison', 'store'],
    ])
    expect(await readFile(join(data, 'objects/objects', passed.object), 'utf8')).toContain(
      '\n— akashi.local/',
    )
    expect(await published()).toEqual(histories)

    const objects = join(data, 'objects/objects')
    const pack =
      (await readdir(join(objects, 'backups'), { recursive: true })).find((name) =>
        /full.*pack-000001$/.test(name),
      ) ?? ''
    const file = join(objects, 'backups', pack)
    const bytes = await readFile(file)
    const damaged = Buffer.from(bytes)
    damaged.writeUInt8(damaged.readUInt8(damaged.length >> 1) ^ 1, damaged.length >> 1)
    await writeFile(file, damaged)
    const failed = await document<Report>(['drill'], 1)
    expect(failed.ok).toBe(false)
    expect(failed.problems.join('\n')).toContain(pack)
    await writeFile(file, bytes)
    const drills = await sql<{ kind: string; ok: boolean; problems: string[] }>(
      'select kind, ok, problems from akashi_lifecycle.drills order by started_at',
    )
    expect(drills.map(({ kind, ok }) => ({ kind, ok }))).toEqual([
      { kind: 'recovery_test', ok: true },
      { kind: 'drill', ok: false },
    ])
    expect(
      await sql(`select event_type from akashi_security.security_events where event_type like 'recovery%'`),
    ).toEqual([{ event_type: 'recovery_drill_failed' }])
    expect(await (await fetch(new URL('/metrics', running.url))).text()).toMatch(/^akashi_drill_alarm 1$/m)
  },
  MINUTES_MS,
)

it('HTTP answers whoever has the permission: backups, plans, tables and drills', async () => {
  await document(['apikeys', 'add-service', 'recovery', '--tier', 'system', '--roles', 'sys_admin'])
  const key = async (name: string, scopes: string) =>
    (
      await document<{ key: string }>([
        ...['apikeys', 'create', name, '--service', 'recovery', '--scopes', scopes],
      ])
    ).key
  const reader = await key('reader', 'backup:read')
  const admin = await key('administrator', 'backup:read,backup:write,backup:admin')
  const send = async (token: string, path: string, body?: object) => {
    const answer = await fetch(new URL(`/v1${path}`, running.url), {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
  expect((await send('', '/backups')).status).toBe(401)
  const listed = await send(reader, '/backups')
  expect(listed).toMatchObject({ status: 200, body: { restorable: { to: expect.any(String) } } })
  const plan = await send(reader, `/restores/plan?at=${encodeURIComponent(beforeLoss)}`)
  expect(plan).toMatchObject({ status: 200, body: { target: beforeLoss, chain: expect.any(Array) } })
  expect((await send(reader, '/restores/plan?at=2001-01-01')).status).toBe(409)
  expect((await send(reader, '/drills')).body).toMatchObject({
    drills: [
      { kind: 'drill', ok: false },
      { kind: 'recovery_test', ok: true },
    ],
  })
  const request = { table: 'orders', at: beforeLoss, into: 'orders_by_http' }
  expect((await send(reader, '/restores', request)).status).toBe(403)
  expect((await send(reader, '/backups', { kind: 'full' })).status).toBe(403)
  const restored = async () => {
    const begun = await send(admin, '/restores', request)
    expect(begun.status).toBe(202)
    const read = async () => (await send(admin, `/restores/${String(begun.body['id'])}`)).body
    await expect
      .poll(async () => (await read())['state'], { timeout: 60_000, interval: 300 })
      .not.toBe('running')
    return await read()
  }
  expect(await restored()).toMatchObject({
    state: 'done',
    result: { into: 'public.orders_by_http', rows: 500 },
  })
  expect(await restored()).toMatchObject({
    state: 'failed',
    message: expect.stringContaining('orders_by_http'),
  })
  expect((await send(admin, '/restores', { table: 'orders', at: beforeLoss })).status).toBe(400)
  const point = await send(admin, '/backups/points', { name: 'asked-by-http' })
  expect(point).toMatchObject({ status: 201, body: { name: 'asked-by-http', lsn: expect.any(String) } })
  for (const name of ['latest', '2026-11-21', '0/16B3748', '4711', '証'.repeat(22)]) {
    expect((await send(admin, '/backups/points', { name })).status, name).toBe(400)
  }
  // WAL from before the oldest backup, which nothing can be restored from.
  const { objects } = (await send(reader, '/backups/prune/plan')).body as { objects: string[] }
  expect(objects.every((name) => name.includes('/wal/'))).toBe(true)
  for (const [path, body, result] of [
    ['/backups', { kind: 'incremental' }, { kind: 'incremental' }],
    ['/backups', { kind: 'audit-copy' }, { id: expect.any(String), rows: expect.any(Number) }],
    ['/backups/prune', {}, { backups: 0, objects: objects.length }],
    ['/backups/rewrap', {}, { keys: expect.any(Number) }],
    ['/backups/verifications', {}, { backups: expect.any(Number), auditCopies: 1 }],
  ] as const) {
    const asked = await send(admin, path, body)
    expect(asked.status, path).toBe(202)
    const run = async () => {
      const answer = await fetch(new URL(String(asked.body['runs']), running.url), {
        headers: { authorization: `Bearer ${reader}` },
      })
      const { runs } = (await answer.json()) as { runs: { dueAt: string; state: string }[] }
      return runs.find(({ dueAt }) => dueAt === asked.body['requestedAt'])
    }
    await expect
      .poll(run, { timeout: 60_000, interval: 300 })
      .toMatchObject({ state: 'done', message: null, result })
  }
  expect((await send(reader, '/backups/prune/plan')).body).toEqual({ backups: [], objects: [] })
  const copies = await send(reader, '/backups/audit-copies')
  expect(copies).toMatchObject({
    status: 200,
    body: { copies: [{ tiers: ['near', 'cold'], problem: null }] },
  })
}, 300_000)

it(
  'the machine is lost: the cluster comes back as of a second, is checked, and serves',
  async () => {
    const to = await reachableFolder()
    try {
      await document(['backup', 'list'])
      process.kill(running.pid, 'SIGKILL')
      await running.exited
      const restored = await document<{
        checks: { ok: boolean; structure: { indexes: number } }
        tables: { table: string; rows: number }[]
        url: string
      }>([...['restore', '--at', beforeLoss, '--to', to]])
      expect(restored.checks).toMatchObject({ ok: true, structure: { problems: [] } })
      expect(restored.checks.structure.indexes).toBeGreaterThan(100)
      expect(await ask(restored.url, 'select count(*)::integer as rows from orders')).toEqual([{ rows: 500 }])
      const counted = (name: string) =>
        restored.tables
          .filter(({ table }) => table === name || table.startsWith(`${name}_2`))
          .reduce((sum, { rows }) => sum + rows, 0)
      for (const name of ['akashi_auth.users', 'akashi_auth.user_sessions']) {
        const present = await ask(restored.url, `select count(*)::integer as rows from ${name}`)
        expect(present, name).toEqual([{ rows: counted(name) }])
      }
      expect(counted('akashi_audit.audit_logs')).toBeGreaterThan(600)
      expect((await document<{ ok: boolean }>(['verify'], 0, to)).ok).toBe(true)
    } finally {
      await removeDataDir(to)
      await rm(to, { recursive: true, force: true })
    }
  },
  MINUTES_MS,
)
