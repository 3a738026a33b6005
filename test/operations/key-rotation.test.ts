import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  auditLogs,
  logs,
  openEpochsWhereNeeded,
  readHead,
  recordCatalog,
  seal,
  verifierKeys,
  verify,
} from '../../src/audit/index.ts'
import { activeContextKeys } from '../../src/identity/index.ts'
import { type Keyring, openKeyring, signNote } from '../../src/keys/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { rotatablePurposes, rotateKey } from '../../src/operations/index.ts'
import { adoptKeyring } from '../../src/operations/key-rotation.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const worker = database.open('worker')
const owner = database.open('owner')
const HOUR_MS = 3_600_000

let folder = ''
let keyring: Keyring
let store: ObjectStore
/** The keyring as it was before the rotation: what an attacker has. */
let leaked: Keyring

const parts = () => ({ keyring, store, owner, worker, actor: tester })
const sealAll = async (keys = keyring) => {
  for (const log of logs) await seal(worker, tester, keys, log)
}
const write = () =>
  database.asSuperuser((session) => session.query("select akashi_audit.record_action('a', 'b')"))
const head = () => worker.transaction(tester, (session) => readHead(session, auditLogs.log))

/** As verification sees it an hour after the last rotation. */
async function problems() {
  const keysOf = verifierKeys(keyring)
  const report = await verify(worker, tester, {
    verifierKeys: async (origin) =>
      (await keysOf(origin)).map((key) => ({
        ...key,
        createdAt: new Date(key.createdAt.getTime() - HOUR_MS),
      })),
  })
  return report.logs.flatMap((log) => log.problems.map(({ detail }) => detail))
}

/** Tampering as a superuser, undone afterwards. */
async function tampered(sql: string, values: readonly unknown[]): Promise<readonly string[]> {
  const before = await head()
  const set = (text: string, given: readonly unknown[]) =>
    database.asSuperuser(async (session) => {
      await session.query('alter table akashi_audit.ledger_heads disable trigger user')
      await session.query('alter table akashi_audit.ledger_epochs disable trigger user')
      await session.query(text, given)
      await session.query('alter table akashi_audit.ledger_heads enable always trigger keep_head')
      await session.query('alter table akashi_audit.ledger_heads enable always trigger refuse_change')
      await session.query('alter table akashi_audit.ledger_epochs enable always trigger refuse_change')
    })
  await set(sql, values)
  const found = await problems()
  await set(
    `update akashi_audit.ledger_heads set origin = $1, note = $2, epoch = $3 where log = 'audit_logs'`,
    [before?.origin, before?.note, before?.epoch],
  )
  // These cases are about keys: that guards were switched off and on again is settled at once.
  await recordCatalog(owner, tester, 'the guards are as they were')
  return found
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-rotate-'))
  keyring = await openKeyring(`file:${join(folder, 'keys')}`)
  store = await openObjectStore(`file:${join(folder, 'objects')}`)
  await write()
  await sealAll()
  await rotateKey(parts(), { purpose: 'context', reason: 'first' })
  await cp(join(folder, 'keys'), join(folder, 'leaked'), { recursive: true })
  leaked = await openKeyring(`file:${join(folder, 'leaked')}`)
})
beforeEach(write)
afterAll(async () => {
  await leaked.close()
  await keyring.close()
  await rm(folder, { recursive: true, force: true })
})

describe('a checkpoint key', () => {
  it('that leaked signs the epochs before only', async () => {
    const before = await head()
    const former = await keyring.ensure('checkpoint')
    const rotation = await rotateKey(parts(), { purpose: 'checkpoint', reason: 'it leaked' })
    expect(rotation).toMatchObject({ purpose: 'checkpoint', resumed: false })
    expect(rotation.keyId).not.toBe(former.id)
    expect(rotation.epochs?.find(({ log }) => log === 'audit_logs')).toMatchObject({
      cause: 'rekeyed',
      reason: 'it leaked',
      epoch: 2,
      previousOrigin: before?.origin,
    })
    await write()
    await sealAll()
    expect(await problems()).toEqual([])

    const now = await head()
    const text = (origin: string) => `${origin}\n${now?.size}\n${now?.root.toString('base64')}\n`
    // The head of the new epoch, signed with the former key.
    const forged = await signNote(leaked, former.id, now?.origin ?? '', text(now?.origin ?? ''))
    expect(
      await tampered(`update akashi_audit.ledger_heads set note = $1 where log = 'audit_logs'`, [forged]),
    ).toContainEqual(expect.stringContaining('signed by a key that was replaced'))
    // As if there had been no rotation.
    const undone = await signNote(leaked, former.id, before?.origin ?? '', text(before?.origin ?? ''))
    expect(
      await tampered(
        `with gone as (
           select from akashi_audit.ledger_epochs
         ) update akashi_audit.ledger_heads set note = $1, origin = $2, epoch = 1 where log = 'audit_logs'`,
        [undone, before?.origin],
      ),
    ).toContainEqual(expect.stringContaining('signed by a key that was replaced'))
    expect(await problems()).toEqual([])
    // A process with the former keyring seals nothing.
    await write()
    await expect(seal(worker, tester, leaked, auditLogs)).rejects.toThrow(/signing key .* was replaced/)
  })

  it('whose rotation was interrupted seals nothing until the epoch is open, by the worker or by hand', async () => {
    await keyring.rotate('checkpoint')
    await expect(seal(worker, tester, keyring, auditLogs)).rejects.toMatchObject({ code: 'conflict' })
    const { opened } = await openEpochsWhereNeeded(worker, tester, keyring, store)
    expect(opened.map(({ cause }) => cause)).toEqual(opened.map(() => 'rekeyed'))
    expect(opened.length).toBeGreaterThan(0)
    expect((await openEpochsWhereNeeded(worker, tester, keyring, store)).opened).toEqual([])
    await sealAll()
    expect(await problems()).toEqual([])

    const { id } = await keyring.rotate('checkpoint')
    const completed = await rotateKey(parts(), { purpose: 'checkpoint', reason: 'again' })
    expect(completed).toMatchObject({ keyId: id, resumed: true })
    await write()
    await sealAll()
    expect(await problems()).toEqual([])
  })
})

describe('a context key', () => {
  it('is replaced in the keyring and the database, also when it was interrupted in between', async () => {
    const active = () => worker.transaction(tester, activeContextKeys)
    const rotation = await rotateKey(parts(), { purpose: 'context', reason: 'it leaked' })
    expect(await active()).toEqual([rotation.keyId])
    const { id } = await keyring.rotate('context')
    expect(await rotateKey(parts(), { purpose: 'context', reason: 'again' })).toMatchObject({
      keyId: id,
      resumed: true,
    })
    expect(await active()).toEqual([id])
  })
})

it('every purpose is replaced by one command, which the trail records', async () => {
  for (const purpose of rotatablePurposes) {
    const { keyId } = await rotateKey(parts(), { purpose, reason: `of ${purpose}` })
    expect(await keyring.ensure(purpose)).toMatchObject({ id: keyId })
  }
  const { rows } = await database.asSuperuser((session) =>
    session.query(
      `select detail ->> 'purpose' as purpose from akashi_audit.audit_logs
       where event_type = 'key_rotated' and detail ->> 'reason' = 'of ' || (detail ->> 'purpose') order by seq`,
    ),
  )
  expect(rows.map(({ purpose }) => purpose)).toEqual([...rotatablePurposes])
  await expect(rotateKey(parts(), { purpose: 'report', reason: 'a\nb' })).rejects.toThrow(/one line/)
})

it('a database whose keyring is lost goes on with another one, by order', async () => {
  const found = await openKeyring(`file:${join(folder, 'found')}`)
  try {
    const adopt = (confirm: string) =>
      adoptKeyring({ ...parts(), keyring: found }, { reason: 'lost', confirm })
    await expect(adopt('another')).rejects.toMatchObject({ code: 'invalid_input' })
    const { epochs } = await adopt(database.name)
    expect(epochs.length).toBeGreaterThan(0)
    await write()
    await sealAll(found)
    expect(await worker.transaction(tester, activeContextKeys)).toEqual([(await found.ensure('context')).id])
  } finally {
    await found.close()
  }
})
