/** Weekly copies of the audit log: complete, provable, kept by tier for as long as the settings say. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { auditLogs, entryHash, readHead } from '../../src/audit/index.ts'
import {
  type AuditCopy,
  coldCopiesPrefix,
  listAuditCopies,
  pruneAuditCopies,
  readAuditCopy,
  storedSystems,
  verifyBackups,
} from '../../src/backup/index.ts'
import { type ObjectStore, openObjectStore, routedStore } from '../../src/object-store/index.ts'
import { copyAuditLogs, drillState, openLogBackupStore } from '../../src/operations/index.ts'
import { allOf } from '../object-store/conformance.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const DAY_MS = 86_400_000

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
let folder: string
let store: ObjectStore

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-copies-'))
  store = await openObjectStore(`file:${join(folder, 'objects')}`)
  await database.asSuperuser(async (session) => {
    await session.query('create table public.noted (id integer primary key, note text)')
    await session.query(`select akashi_audit.protect('public.noted')`)
  })
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const parts = () => ({ actor: tester, keyring: ledger.keyring, store, worker })

async function write(from: number, to: number): Promise<void> {
  await database.asSuperuser((session) =>
    session.query(
      `insert into public.noted select i, 'note ' || i || E'\\n証' from generate_series(${from}, ${to}) i`,
    ),
  )
  await ledger.seal()
}

interface Line {
  log: string
  position: string
  hash: string
  row: Record<string, string | string[]>
}

async function lines(copy: AuditCopy, tier: 'near' | 'cold'): Promise<Line[]> {
  const chunks: Buffer[] = []
  for await (const part of readAuditCopy(await openLogBackupStore(parts()), copy, { tier })) chunks.push(part)
  const text = Buffer.concat(chunks).toString().trim()
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as Line)
}

async function one(at: number): Promise<AuditCopy> {
  const copy = (await listAuditCopies(await openLogBackupStore(parts()))).at(at)
  if (copy === undefined) throw new Error('there is no such copy')
  return copy
}

test('a copy has every row since the one before, each hashing to its entry, on both tiers', async () => {
  await write(1, 5_000)
  await copyAuditLogs(parts())
  const size = await worker.transaction(
    tester,
    async (session) => (await readHead(session, 'audit_logs'))?.size,
  )
  const first = await one(0)
  const near = await lines(first, 'near')
  const own = near.filter(({ log }) => log === 'audit_logs')
  expect(own.map(({ position }) => position)).toEqual(
    Array.from({ length: Number(size) }, (_, i) => String(i)),
  )
  for (const { row, hash } of own) expect(entryHash(auditLogs, row).toString('hex')).toBe(hash)
  expect(await lines(first, 'cold')).toEqual(near)
  expect(first.manifest?.logs.find(({ log }) => log === 'audit_logs')?.checkpoint).toContain(`\n${size}\n`)

  await write(5_001, 5_010)
  await copyAuditLogs(parts())
  const second = (await lines(await one(1), 'cold')).filter(({ log }) => log === 'audit_logs')
  expect(second[0]?.position).toBe(String(size))
  expect(second).toHaveLength(10)
})

test('verification reads every part, and names one that was changed', async () => {
  const backupStore = await openLogBackupStore(parts())
  expect(await verifyBackups(backupStore)).toMatchObject({ ok: true, auditCopies: 2 })
  for (const pattern of [/cold.*part-000001$/, /near.*manifest\.json$/]) {
    let name = ''
    for await (const { key } of store.list('audit-copies/')) if (pattern.test(key)) name = key
    const chunks: Buffer[] = []
    for await (const chunk of await store.get(name)) chunks.push(chunk as Buffer)
    const bytes = Buffer.concat(chunks)
    const changed = Buffer.from(bytes)
    const at = bytes.length >> 1
    changed[at] = (changed[at] ?? 0) ^ 1
    await store.put(name, changed)
    const found = await verifyBackups(await openLogBackupStore(parts()))
    expect(found.ok).toBe(false)
    expect(found.problems.map(({ object, detail }) => `${object} ${detail}`).join('\n')).toContain(name)
    await store.put(name, bytes)
  }
})

test('each tier is pruned by its own age, and nothing under a legal hold', async () => {
  const backupStore = await openLogBackupStore(parts())
  const prune = (days: number, hold = false) =>
    pruneAuditCopies(backupStore, {
      nearDays: 90,
      coldDays: 1_095,
      hold,
      now: new Date(Date.now() + days * DAY_MS),
    })
  const tiers = async () => (await listAuditCopies(backupStore)).map((copy) => copy.tiers)
  expect(await prune(89)).toEqual([])
  expect(await prune(2_000, true)).toEqual([])
  expect((await prune(91)).every((name) => name.includes('/near/'))).toBe(true)
  expect(await tiers()).toEqual([['cold'], ['cold']])
  expect(await prune(1_094)).toEqual([])
  expect((await lines(await one(0), 'cold')).length).toBeGreaterThan(0)
  await prune(1_096)
  expect(await tiers()).toEqual([])
  // The data keys went with them.
  const left: string[] = []
  for await (const { key } of store.list('')) left.push(key)
  expect(left.filter((name) => name.startsWith('backups/'))).toEqual([])
})

test('no test of a whole recovery for half a year is missed', async () => {
  expect((await drillState(worker, tester, 'recovery_test')).missed).toBe(false)
  await database.asSuperuser((session) =>
    session.query(
      `update akashi_lifecycle.jobs set created_at = now() - interval '201 days' where name = 'backup-recovery-test'`,
    ),
  )
  expect((await drillState(worker, tester, 'recovery_test')).missed).toBe(true)
})

test('the cold copies go into another store, and can be read there without the first', async () => {
  const place = join(folder, 'elsewhere')
  const elsewhere = await openObjectStore(`file:${place}`)
  const own = { ...parts(), store: routedStore(store, coldCopiesPrefix, async () => elsewhere) }
  const before = await listAuditCopies(await openLogBackupStore(own))
  await write(9001, 9010)
  const { id } = await copyAuditLogs(own)
  const listed = await listAuditCopies(await openLogBackupStore(own))
  expect(listed.map((copy) => copy.id)).toEqual([...before.map((copy) => copy.id), id])
  expect(listed.at(-1)?.tiers).toEqual(['near', 'cold'])
  const names: string[] = []
  for await (const { key } of store.list('audit-copies/')) if (key.includes(id)) names.push(key)
  expect(names.length).toBeGreaterThan(0)
  expect(names.every((key) => key.startsWith('audit-copies/near/'))).toBe(true)
  // Of the first store nothing is left but the keyring.
  const alone = await openLogBackupStore({ ...own, store: elsewhere })
  expect(await storedSystems(elsewhere)).toEqual([alone.systemId])
  const [copy] = await listAuditCopies(alone)
  expect(copy).toMatchObject({ id, tiers: ['cold'], problem: null })
  const text = Buffer.concat(
    await allOf(readAuditCopy(alone, copy ?? { id, tiers: [], manifest: null })),
  ).toString()
  expect(text).toContain('note 9010')
  // Its key is wrapped anew with the others, and goes with the copy.
  expect(await alone.keys.rewrap()).toBe(0)
  const options = { nearDays: 0, coldDays: 0, hold: false, now: new Date(Date.now() + DAY_MS) }
  await pruneAuditCopies(await openLogBackupStore(own), options)
  expect(await allOf(elsewhere.list(''))).toEqual([])
})
