import { createHash } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rotatablePurposes } from '@akashi/contract'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  auditLogs,
  logs,
  openEpochsWhereNeeded,
  readHead,
  recordCatalog,
  scrub,
  seal,
  verifierKeys,
  verify,
} from '../../src/audit/index.ts'
import { readEpochs } from '../../src/audit/ledger/epoch/link.ts'
import { originOn } from '../../src/audit/ledger/published.ts'
import { activeContextKeys } from '../../src/identity/index.ts'
import { type Keyring, openKeyring, signNote } from '../../src/keys/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { rotateKey } from '../../src/operations/index.ts'
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

  it.each([
    ['of the former epoch', (former: string) => former],
    ['of an epoch that this database never had', (former: string) => originOn(former, '0123456789abcdef')],
  ])('that leaked signs no retention record under the origin %s', async (_, under) => {
    const now = await head()
    const epochs = await worker.transaction(tester, (session) => readEpochs(session, auditLogs.log))
    const [first] = await leaked.list('checkpoint')
    const origin = under(epochs[0]?.previousOrigin ?? '')
    const { rows } = await worker.transaction(tester, (session) =>
      session.query<{ hash: Buffer; at: string }>(
        `select entry_hash as hash, created_at as at from akashi_audit.ledger_entries where log = 'audit_logs' and position = 0`,
      ),
    )
    const from = new Date(rows[0]?.at ?? '')
    const to = new Date(from.getTime() + 1)
    const digest = createHash('sha256')
      .update(Buffer.concat([Buffer.alloc(8), rows[0]?.hash ?? Buffer.alloc(32)]))
      .digest()
    const fields = [from.toISOString(), to.toISOString(), 0, 0, 1, digest.toString('base64'), 'forged']
    const text = ['akashi/retention/1', origin, 'audit_logs', 'p', ...fields, ''].join('\n')
    const note = await signNote(leaked, first?.id ?? '', origin, text)
    await database.asSuperuser((session) =>
      session.query(
        `insert into akashi_audit.retention_records (log, partition_name, lower_bound, upper_bound, first_position, last_position, row_count, digest, policy, note)
         values ('audit_logs', 'p', $1, $2, 0, 0, 1, $3, 'forged', $4)`,
        [from.toISOString(), to.toISOString(), digest, note],
      ),
    )
    const found = await problems()
    const scrubbed = await scrub(worker, tester, { verifierKeys: verifierKeys(keyring) })
    await database.asSuperuser(async (session) => {
      await session.query('alter table akashi_audit.retention_records disable trigger user')
      await session.query("delete from akashi_audit.retention_records where policy = 'forged'")
      await session.query('alter table akashi_audit.retention_records enable always trigger refuse_change')
    })
    await recordCatalog(owner, tester, 'the guard is as it was')
    expect(now?.epoch).toBeGreaterThan(1)
    expect(found.join()).toMatch(/retention record/)
    expect(scrubbed.mode).toBe('scrub')
    expect(await problems()).toEqual([])
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

it('no signing, wrapping or index key is in the database, whoever reads it', async () => {
  for (const purpose of rotatablePurposes) await keyring.ensure(purpose)
  const files = await readdir(join(folder, 'keys'), { recursive: true, withFileTypes: true })
  const texts = await Promise.all(
    files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), 'utf8')),
  )
  const secrets = texts
    .filter((text) => text.includes('"secret"'))
    .map((text) => JSON.parse(text) as { purpose: string; secret: string })
  const written = (secret: string) => [
    secret.replace(/=+$/, ''),
    Buffer.from(secret, 'base64').toString('hex'),
    // Of HMAC (RFC 2104): the key with its inner and its outer padding.
    ...[0x36, 0x5c].map((padding) =>
      Buffer.from(Buffer.from(secret, 'base64').map((byte) => byte ^ padding)).toString('hex'),
    ),
  ]
  const purposesIn = async (owned: typeof secrets) =>
    await database.asSuperuser(async (session) => {
      const { rows: tables } = await session.query<{ name: string }>(
        `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind = 'r' and n.nspname ~ '^(akashi_|public$)'`,
      )
      const found = new Set<string>()
      for (const { name } of tables) {
        for (const { purpose, secret } of owned) {
          const { rowCount } = await session.query(
            `select from ${name} r where r::text ~ any ($1::text[]) limit 1`,
            [written(secret).map((text) => text.replaceAll('+', '[+]'))],
          )
          if (rowCount > 0) found.add(purpose)
        }
      }
      return [...found]
    })
  const purposes = new Set(secrets.map(({ purpose }) => purpose))
  expect([...purposes]).toEqual(
    expect.arrayContaining(['checkpoint', 'context', 'wrapping', 'blind-index', 'report']),
  )
  expect(await purposesIn(secrets.filter(({ purpose }) => purpose !== 'context'))).toEqual([])
  // Those of contexts are, and so the search finds what there is.
  expect(await purposesIn(secrets.filter(({ purpose }) => purpose === 'context'))).toEqual(['context'])
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
