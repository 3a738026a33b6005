/** Copies of the archive at other destinations: what they hold, how long, and what a fault or a kill leaves. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  archivedRows,
  archiveStatus,
  copyStatus,
  holdTable,
  planArchive,
  restorePartition,
  retireExpired,
  runArchive,
  setCopyPolicy,
  tenantUsage,
  verifyArchive,
  verifyCopies,
} from '../../src/lifecycle/index.ts'
import { type ObjectStore, openObjectStore, withDestinations } from '../../src/object-store/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents } from './support/archive.ts'
import { shopOf } from './support/shop.ts'

const database = testDatabase()
const worker = database.open('worker')
const owner = database.open('owner')
const ledger = testLedger(worker)
const shop = shopOf(database, () => worker)
const events = { schema: 'akashi_security', table: 'security_events' } as const
const copier = fileURLToPath(new URL('support/copier-child.ts', import.meta.url))
const everything = { tenant: null, class: null } as const
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-copies-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The main store with the destinations `partner` and `cold`. */
async function openStore(
  change: (store: ObjectStore) => ObjectStore = (store) => store,
): Promise<ObjectStore> {
  const open = async (name: string) => await openObjectStore(`file:${join(folder, name)}`)
  return withDestinations(await open('main'), async (name) => {
    return name === 'partner' || name === 'cold' ? change(await open(name)) : undefined
  })
}

const archive = async (store?: ObjectStore, table: { schema: string; table: string } = events) =>
  await runArchive(worker, tester, store ?? (await openStore()), { table, partRows: 100 })

async function keysAt(name: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of (await openObjectStore(`file:${join(folder, name)}`)).list('')) keys.push(key)
  return keys
}

interface Manifest {
  rows: number
  copyOf: { tenant: string | null; rows: number }
  parts: { key: string; rows: number; columns: Record<string, { nulls: number }> }[]
}

async function manifestOf(key: string): Promise<Manifest> {
  const store = await openStore()
  return JSON.parse((await buffer(await store.get(key))).toString()) as Manifest
}

const asSuperuser = (sql: string, values: unknown[] = []) =>
  database.asSuperuser(async (session) => (await session.query<Record<string, unknown>>(sql, values)).rows)

it('copies the rows of a tenant and all rows, each to its destination, and leaves the archive as it is', async () => {
  await setCopyPolicy(worker, tester, events, {
    tenant: 'tenant-b',
    class: null,
    destination: 'partner',
    total: '30 years',
  })
  await setCopyPolicy(worker, tester, events, { ...everything, destination: 'cold', total: '20 years' })
  await insertEvents(worker, '2016-12-10', 250)
  await ledger.seal()
  const rows = await archive()
  expect(rows.map(({ action, rows: count, message }) => [action, count, message])).toEqual([
    ['dropped', 250, 'Exported and dropped (250 rows)'],
    ['copied', 250, 'Copied all rows to cold (250 rows)'],
    ['copied', 83, 'Copied tenant tenant-b to partner (83 rows)'],
  ])
  const copies = await copyStatus(worker, tester)
  expect(copies.map(({ destination, rows: count, state }) => [destination, count, state])).toEqual([
    ['cold', 250, 'verified'],
    ['partner', 83, 'verified'],
  ])
  const manifest = await manifestOf(copies[1]?.manifest ?? '')
  expect(manifest).toMatchObject({ rows: 83, copyOf: { tenant: 'tenant-b', rows: 250 } })
  expect((await keysAt('partner')).sort()).toEqual(
    [copies[1]?.manifest, ...manifest.parts.map(({ key }) => key)].sort(),
  )
  expect((await verifyCopies(worker, tester, await openStore())).map(({ ok }) => ok)).toEqual([true, true])
  expect((await keysAt('main')).filter((key) => key.startsWith('archive-copies/'))).toEqual([])
  // Again it does nothing, and what is proved and restored does not know of copies.
  expect(await archive()).toEqual([])
  const store = await openStore()
  expect(await ledger.problems({ archived: archivedRows(worker, tester, store) })).toEqual([])
  const restored = await restorePartition(owner, tester, store, {
    ...events,
    partition: 'security_events_p20161210',
  })
  expect(restored).toMatchObject({ rows: 250 })
  await asSuperuser('update akashi_lifecycle.exports set keep_until = null')
  expect(await archive()).toMatchObject([{ action: 'dropped', rows: 250 }])
})

it('counts whose rows are stored where, in the archive and not yet exported', async () => {
  await database.asSuperuser((session) =>
    session.query(`select akashi_security.record_event(event_type => 'login_failure', event_category => 'authentication',
      severity => 'low', source_service => 'test', tenant_id => 'tenant-b')`),
  )
  const found = (await tenantUsage(worker, tester)).filter(({ table }) => table.endsWith('security_events'))
  const b = found.find(({ tenant }) => tenant === 'tenant-b')
  expect(b).toMatchObject({
    class: 'authentication',
    archivedRows: 83,
    databaseRows: 1,
    oldest: '2016-12-10T00:00:03.000000Z',
    others: false,
  })
  expect(b?.copiedBytes).toBeGreaterThan(0)
  expect(found.find(({ tenant }) => tenant === 'tenant-a')).toMatchObject({
    archivedRows: 167,
    databaseRows: 0,
  })
  expect(found.every(({ monthlyDollars }) => monthlyDollars > 0)).toBe(true)
  expect((await tenantUsage(worker, tester, { tenant: 'nobody' })).length).toBe(0)
})

it('writes nothing for a tenant without rows, and tells of a destination that is not configured', async () => {
  await setCopyPolicy(worker, tester, events, {
    tenant: 'tenant-c',
    class: null,
    destination: 'partner',
    total: '30 years',
  })
  await setCopyPolicy(worker, tester, events, {
    tenant: null,
    class: 'authentication',
    destination: 'lost',
    total: '30 years',
  })
  const before = await keysAt('partner')
  const rows = await archive()
  expect(rows).toMatchObject([
    {
      action: 'failed',
      message: 'Error: copy to lost: no object store is configured for the destination lost',
    },
    { action: 'copied', rows: 0 },
  ])
  expect(await keysAt('partner')).toEqual(before)
  expect((await copyStatus(worker, tester)).map(({ destination }) => destination)).not.toContain('lost')
})

it('keeps an export past its retention until it was copied, and the copy past the export', async () => {
  await asSuperuser(
    `update akashi_lifecycle.policies set total_retention = '9 years' where table_name = 'security_events'`,
  )
  const store = await openStore()
  const retire = async () => await retireExpired(worker, tester, store, ledger.keyring, { table: events })
  expect(await retire()).toMatchObject([
    { action: 'held', message: 'Kept: its copy to lost is not made yet' },
  ])
  await expect(
    worker.transaction(tester, (session) =>
      session.query('select akashi_lifecycle.begin_retiring(id, id) from akashi_lifecycle.exports'),
    ),
  ).rejects.toMatchObject({ code: 'conflict' })
  await setCopyPolicy(worker, tester, events, {
    tenant: null,
    class: 'authentication',
    destination: 'lost',
    total: null,
  })
  expect(await retire()).toMatchObject([{ action: 'retired', rows: 250 }])
  expect(await archiveStatus(worker, tester, { table: events })).toMatchObject([{ state: 'retired' }])
  expect((await keysAt('main')).filter((key) => key.startsWith('archive/'))).toEqual([])
  expect((await verifyCopies(worker, tester, store)).filter(({ ok }) => !ok)).toEqual([])
  expect(await ledger.problems({ archived: archivedRows(worker, tester, store) })).toEqual([])
})

it('deletes a copy when the promised time is over, whatever the policy became, and not under a legal hold', async () => {
  await setCopyPolicy(worker, tester, events, {
    tenant: 'tenant-b',
    class: null,
    destination: 'partner',
    total: '1 day',
  })
  const store = await openStore()
  const retire = async () => await retireExpired(worker, tester, store, ledger.keyring, { table: events })
  expect(await retire()).toEqual([])
  await asSuperuser(
    `update akashi_lifecycle.copies set keep_until = now() - interval '1 day' where row_count = 83`,
  )
  await holdTable(worker, tester, { ...events, held: true, reason: 'a lawsuit' })
  expect(await planArchive(worker, tester, { table: events, only: 'retire' })).toMatchObject([
    { action: 'held' },
  ])
  expect(await retire()).toMatchObject([{ action: 'held' }])
  await holdTable(worker, tester, { ...events, held: false, reason: 'it ended' })
  expect(await retire()).toMatchObject([{ action: 'retired', rows: 83 }])
  expect(await keysAt('partner')).toEqual([])
  const [told] = await asSuperuser(
    `select detail ->> 'rows' as rows from akashi_audit.audit_logs where event_type = 'archive' and action = 'delete_copy'`,
  )
  expect(told).toEqual({ rows: '83' })
  // The policy copies later periods; this one is past what it promises now.
  expect(await archive()).toEqual([])
})

it('records no copy that a lying destination changed, and makes it once the destination is right', async () => {
  await setCopyPolicy(worker, tester, events, {
    tenant: 'tenant-b',
    class: null,
    destination: 'partner',
    total: '30 years',
  })
  await insertEvents(worker, '2017-02-03', 120)
  await ledger.seal()
  const lying = await openStore((store) => ({
    location: store.location,
    put: (...all) => store.put(...all),
    head: (key) => store.head(key),
    list: (...all) => store.list(...all),
    listFolders: (...all) => store.listFolders(...all),
    delete: (key) => store.delete(key),
    get: async (key) => {
      const bytes = await buffer(await store.get(key))
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
      return Readable.from([bytes])
    },
  }))
  const rows = await archive(lying)
  expect(rows.map(({ action }) => action)).toEqual(['dropped', 'failed', 'failed'])
  const broken = (await copyStatus(worker, tester)).filter(({ partition }) => partition.endsWith('0203'))
  expect(broken.map(({ state, rows: count }) => [state, count])).toEqual([
    ['copying', null],
    ['copying', null],
    ['copying', null],
  ])
  expect(broken[0]?.message).toContain('differs from what was stored')
  // One that ends midway leaves nothing, and is made anew when it is wanted again.
  await setCopyPolicy(worker, tester, events, { ...everything, destination: 'cold', total: null })
  const store = await openStore()
  const retired = await retireExpired(worker, tester, store, ledger.keyring, { table: events })
  expect(retired).toMatchObject([{ action: 'held' }, { action: 'retired' }])
  expect((await keysAt('cold')).filter((key) => key.includes('day=03'))).toEqual([])
  await setCopyPolicy(worker, tester, events, { ...everything, destination: 'cold', total: '20 years' })
  expect(await archive()).toMatchObject([
    { action: 'copied', rows: 120 },
    { action: 'copied', rows: 40 },
  ])
  const checks = await verifyCopies(worker, tester, await openStore())
  expect(checks.filter(({ ok }) => !ok)).toEqual([])
  // Later, the destination loses an object.
  const [victim = ''] = (await keysAt('partner')).filter((key) => key.endsWith('.parquet'))
  await (await openObjectStore(`file:${join(folder, 'partner')}`)).delete(victim)
  expect((await verifyCopies(worker, tester, await openStore())).filter(({ ok }) => !ok)).toMatchObject([
    { destination: 'partner', rows: 40, problem: 'no object with this key' },
  ])
})

const steps = ['planned', 'stored', 'compared', 'published', 'recorded']
const killed = process.env['AKASHI_LONG'] === '1' ? steps : ['stored', 'published']

it.each(killed)('goes on where a run was killed that had %s', async (step) => {
  const day = `2017-0${steps.indexOf(step) + 4}-01`
  await insertEvents(worker, day, 150)
  await ledger.seal()
  const store = await openStore()
  // Everything but the copies.
  await asSuperuser('update akashi_lifecycle.copy_policies set ended_at = now()')
  expect(await archive(store)).toMatchObject([{ action: 'dropped' }])
  await asSuperuser(
    `update akashi_lifecycle.copy_policies set ended_at = null where destination = 'partner' and tenant = 'tenant-b'`,
  )
  const child = spawn(process.execPath, [copier, database.url('worker'), folder, step], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  expect((await once(child, 'exit'))[1]).toBe('SIGKILL')
  // The server learns a moment later that the killed process is gone, and holds its lock until then.
  while ((await archive(store)).some(({ action }) => action === 'busy')) await setTimeout(100)
  const [copy] = (await copyStatus(worker, tester)).filter(
    ({ partition, rows }) => partition.endsWith(day.replaceAll('-', '')) && rows === 50,
  )
  expect(copy).toMatchObject({ state: 'verified', message: null })
  const { parts } = await manifestOf(copy?.manifest ?? '')
  const left = (await keysAt('partner')).filter((key) => key.includes(day.replaceAll('-', '')))
  expect(left.sort()).toEqual([copy?.manifest, ...parts.map(({ key }) => key)].sort())
  expect(
    (await verifyCopies(worker, tester, store)).filter(
      ({ ok, partition }) => !ok && partition.endsWith('01'),
    ),
  ).toEqual([])
})

it('selects by the tenant of then, also after its column was renamed, added or retyped', async () => {
  const table = await shop.makeTable('orders', 'id integer, whose text')
  await shop.asOwner(
    `insert into shop.orders (created_at, id, whose) select '2024-01-05'::timestamptz, i, case i % 2 when 0 then 'acme' else 'other' end from generate_series(1, 10) i`,
  )
  await expect(
    setCopyPolicy(worker, tester, table, {
      tenant: 'acme',
      class: null,
      destination: 'partner',
      total: '30 years',
    }),
  ).rejects.toMatchObject({ code: 'invalid_input' })
  await archive(undefined, table)
  await shop.asOwner('alter table shop.orders rename column whose to tenant_id')
  await setCopyPolicy(worker, tester, table, {
    tenant: 'acme',
    class: null,
    destination: 'partner',
    total: '30 years',
  })
  const rows = await archive(undefined, table)
  expect(rows.map(({ action, rows: count }) => [action, count])).toEqual([
    ['copied', 5],
    ['copied', 0],
  ])
  expect((await verifyArchive(worker, tester, await openStore(), { table })).every(({ ok }) => ok)).toBe(true)
})

it('refuses policies that copy nothing', async () => {
  const set = (
    change: Partial<Parameters<typeof setCopyPolicy>[3]>,
    table: { schema: string; table: string } = events,
  ) =>
    setCopyPolicy(worker, tester, table, { ...everything, destination: 'cold', total: '3 years', ...change })
  await expect(set({ total: 'soon' })).rejects.toMatchObject({ code: 'invalid_input' })
  await expect(set({ total: '293000 years' })).rejects.toMatchObject({ code: 'invalid_input' })
  await expect(set({ total: '1 hour' })).rejects.toMatchObject({ code: 'invalid_input' })
  await expect(set({ destination: 'Not a name' })).rejects.toMatchObject({ code: 'invalid_input' })
  await expect(set({ tenant: ' ' })).rejects.toMatchObject({ code: 'invalid_input' })
  await expect(set({ destination: 'never', total: null })).rejects.toMatchObject({ code: 'not_found' })
  await expect(set({}, { schema: 'akashi_auth', table: 'users' })).rejects.toMatchObject({
    code: 'not_found',
  })
  await expect(set({}, { schema: 'akashi_auth', table: 'login_attempts' })).rejects.toMatchObject({
    code: 'conflict',
  })
})
