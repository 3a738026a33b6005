/** Published checkpoints are thinned by age, and verification misses none of those that are gone. */
import { lstat, mkdtemp, readdir, readlink, rename, rm, symlink, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { publishCheckpoints, publishedNotes, thinCheckpoints } from '../../src/audit/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { tamperWith } from '../support/tamper.ts'

const DAY_MS = 86_400_000
const SECOND_MS = 1_000
const LOG = 'audit_logs'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)

let folder = ''
let objects = ''
let store: ObjectStore

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-thinning-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** UTC, so many days ago, at a time of that day. */
function ago(days: number, time: string): Date {
  const day = new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10)
  return new Date(`${day}T${time}Z`)
}

/** When the checkpoints of a test were published, oldest first; the ones that are kept say so. */
const published: readonly (readonly [Date, 'kept' | 'gone'])[] = [
  [ago(410, '00:10:00'), 'gone'],
  [ago(410, '09:30:00'), 'gone'],
  [ago(410, '23:59:00'), 'kept'],
  [ago(409, '00:00:00'), 'kept'],
  [ago(50, '10:01:00'), 'gone'],
  [ago(50, '10:02:00'), 'gone'],
  [ago(50, '10:59:59'), 'kept'],
  [ago(50, '11:00:00'), 'kept'],
  [ago(39, '11:01:00'), 'kept'],
  [ago(39, '11:02:00'), 'kept'],
]

let sizes: string[] = []

beforeEach(async () => {
  await tamperWith(database, (session) => session.query('delete from akashi_audit.ledger_checkpoints'))
  objects = await mkdtemp(join(folder, 'objects-'))
  store = await openObjectStore(pathToFileURL(objects).href)
  sizes = []
  for (const _ of published) {
    await worker.transaction(tester, (session) =>
      session.query("select akashi_audit.record_action('test', 'something')"),
    )
    await ledger.seal()
    const done = await publishCheckpoints(worker, tester, store)
    sizes.push(done.find(({ log }) => log === LOG)?.size ?? '')
  }
  await setTimes(published.map(([at]) => at))
  await age()
})

/** When the checkpoints were published, in their order. */
async function setTimes(times: readonly Date[]): Promise<void> {
  await tamperWith(database, (session) =>
    session.query(
      `update akashi_audit.ledger_checkpoints c set published_at = t.at
       from unnest($1::bigint[], $2::timestamptz[]) t (size, at) where c.log = '${LOG}' and c.size = t.size`,
      [sizes, times.map((at) => at.toISOString())],
    ),
  )
}

/** Every object as if it had been put a year ago: the store keeps that time in the name of the file. */
async function age(): Promise<void> {
  const names = await readdir(join(objects, 'objects'), { recursive: true })
  for (const name of names) {
    const link = join(objects, 'objects', name)
    if (!(await lstat(link)).isSymbolicLink()) continue
    const target = await readlink(link)
    const older = target.replace(/-(\d+)-([0-9a-f]{16})$/, `-${Date.now() - 365 * DAY_MS}-$2`)
    await rename(resolve(dirname(link), target), resolve(dirname(link), older))
    await unlink(link)
    await symlink(older, link)
  }
}

async function inStore(): Promise<string[]> {
  const found: string[] = []
  for await (const note of publishedNotes(store, LOG)) found.push(String(note).split('\n')[1] ?? '')
  return found
}

async function inDatabase(): Promise<string[]> {
  const { rows } = await worker.transaction(tester, (session) =>
    session.query<{ size: string }>(
      `select size::text from akashi_audit.ledger_checkpoints where log = '${LOG}' order by size`,
    ),
  )
  return rows.map(({ size }) => size)
}

const problems = async () =>
  (await ledger.problems({ published: (log, from) => publishedNotes(store, log, from) })).map(
    ({ detail }) => detail,
  )
const of = (which: 'kept' | 'gone') => sizes.filter((_, place) => published[place]?.[1] === which)
const key = (size: string | undefined) => `checkpoints/${LOG}/${(size ?? '').padStart(20, '0')}`

it('keeps the last of each hour, then of each day, and verification goes on as before', async () => {
  expect(await problems()).toEqual([])
  expect(await thinCheckpoints(worker, tester, store)).toEqual([
    { log: LOG, epoch: 1, removed: of('gone').length },
  ])
  expect(await inStore()).toEqual(of('kept'))
  expect(await inDatabase()).toEqual(of('kept'))
  expect(await problems()).toEqual([])
  expect(await thinCheckpoints(worker, tester, store)).toEqual([])
})

it('still finds that the log was cut off or that a kept checkpoint is gone', async () => {
  await thinCheckpoints(worker, tester, store)
  const [first] = of('kept')
  await store.delete(key(first))
  expect(await problems()).toEqual([`the published checkpoint of size ${first} is missing from the store`])
})

it('goes on after a run that was stopped between store and database', async () => {
  const [first] = of('gone')
  await store.delete(key(first))
  expect(await problems()).toEqual([])
  await thinCheckpoints(worker, tester, store)
  expect(await inDatabase()).toEqual(of('kept'))
})

it('removes nothing for a checkpoint that the database does not have, nor that one', async () => {
  const [first] = of('gone')
  const note = `${await (await store.get(key(first))).toArray().then((chunks) => Buffer.concat(chunks).toString())}`
  await store.delete(key(first))
  await store.put(
    key(first),
    Buffer.from(note.replace(/\n[A-Za-z0-9+/]{43}=\n/, `\n${Buffer.alloc(32).toString('base64')}\n`)),
  )
  await age()
  await expect(thinCheckpoints(worker, tester, store)).rejects.toMatchObject({ code: 'integrity' })
  expect(await inStore()).toEqual(sizes)
  expect(await inDatabase()).toEqual(sizes)
})

it('removes nothing when the checkpoint that stands for it is gone', async () => {
  await store.delete(key(of('kept')[0]))
  await expect(thinCheckpoints(worker, tester, store)).rejects.toMatchObject({ code: 'integrity' })
  expect(await inDatabase()).toEqual(sizes)
})

it('does not take the word of the database for the age of an object', async () => {
  await setTimes(sizes.map((_, place) => new Date(ago(50, '10:00:00').getTime() + place * SECOND_MS)))
  const fresh = sizes.at(-3)
  const body = await (await store.get(key(fresh))).toArray()
  await store.delete(key(fresh))
  await store.put(key(fresh), Buffer.concat(body))
  await thinCheckpoints(worker, tester, store)
  expect(await inStore()).toEqual([fresh, sizes.at(-1)])
  expect(await problems()).toEqual([])
})

it('is all that the database lets anybody remove', async () => {
  for (const size of of('kept')) {
    const removal = database.asSuperuser((session) =>
      session.query(`delete from akashi_audit.ledger_checkpoints where log = '${LOG}' and size = $1`, [size]),
    )
    await expect(removal).rejects.toMatchObject({ code: 'append_only' })
  }
  await expect(
    worker.transaction(tester, (session) => session.query('delete from akashi_audit.ledger_checkpoints')),
  ).rejects.toMatchObject({ code: 'append_only' })
  expect(await inDatabase()).toEqual(sizes)
})
