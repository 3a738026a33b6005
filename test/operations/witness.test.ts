import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  auditLogs,
  forgetWitness,
  readLogHeads,
  serveWitness,
  trustedWitnesses,
  trustWitness,
  verifierKeys,
  type WitnessServer,
  witnessKey,
} from '../../src/audit/index.ts'
import { type Keyring, openKeyring } from '../../src/keys/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { ledgerTasks, verifyAndRecord } from '../../src/operations/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const worker = database.open('worker')
const owner = database.open('owner')
const ledger = testLedger(worker)
const log = pino({ level: 'silent' })
const { signal } = new AbortController()

let folder = ''
let store: ObjectStore
let witnessKeys: Keyring
let witness: WitnessServer

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-witness-'))
  store = await openObjectStore(pathToFileURL(join(folder, 'objects')).href)
  witnessKeys = await openKeyring(pathToFileURL(join(folder, 'witness-keys')).href)
  await ledger.seal()
  const heads = await readLogHeads(worker, tester)
  const logs = await Promise.all(heads.map(({ origin }) => verifierKeys(ledger.keyring)(origin)))
  witness = await serveWitness({
    folder: join(folder, 'witness'),
    key: await witnessKey(witnessKeys, 'witness.example/w1'),
    logs: logs.flat(),
    port: 0,
  })
})

afterAll(async () => {
  await witness.close()
  await witnessKeys.close()
  await rm(folder, { recursive: true, force: true })
})

function publish() {
  const task = ledgerTasks({ keyring: ledger.keyring, store })['ledger.publish']
  if (task === undefined) throw new Error('there is no such task')
  return task({ worker, actor: tester, signal, log })
}

it('has every published head cosigned by the witnesses that are trusted', async () => {
  await trustWitness(owner, tester, witness.url, witness.verifierKey)
  expect(await trustedWitnesses(worker, tester)).toMatchObject([{ name: 'witness.example/w1' }])
  expect(await publish()).toMatchObject({ published: [{ log: auditLogs.log }], cosigned: 1 })
  expect((await verifyAndRecord(worker, tester, { keyring: ledger.keyring, store })).ok).toBe(true)
})

it('goes on when a witness is away, and says so', async () => {
  await trustWitness(owner, tester, 'http://127.0.0.1:9', witness.verifierKey)
  await database.asSuperuser((session) =>
    session.query("select akashi_audit.record_action('shift_begun', 'begin')"),
  )
  await ledger.seal()
  expect(await publish()).toMatchObject({ published: [{ log: auditLogs.log }], cosigned: 0 })
  const away: string[] = []
  const report = await verifyAndRecord(
    worker,
    tester,
    { keyring: ledger.keyring, store },
    { onAway: (name) => away.push(name) },
  )
  expect(report.ok).toBe(true)
  expect(new Set(away)).toEqual(new Set(['witness.example/w1']))
  await trustWitness(owner, tester, witness.url, witness.verifierKey)
})

it('finds a log that was cut back, from the witness alone', async () => {
  await publish()
  const emptied = await openObjectStore(pathToFileURL(join(folder, 'other-objects')).href)
  await database.asSuperuser(async (session) => {
    await session.query('begin; set local session_replication_role = replica')
    await session.query('alter table akashi_audit.ledger_heads disable trigger keep_head')
    await session.query(
      `update akashi_audit.ledger_heads h set size = c.size, root = c.root, note = c.note
       from (select * from akashi_audit.ledger_checkpoints where log = 'audit_logs' order by size limit 1) c where h.log = c.log`,
    )
    await session.query('alter table akashi_audit.ledger_heads enable always trigger keep_head; commit')
  })
  const report = await verifyAndRecord(worker, tester, { keyring: ledger.keyring, store: emptied })
  const problems = report.logs.flatMap((each) => each.problems)
  expect(
    problems.some(({ kind, detail }) => kind === 'checkpoint' && detail.includes('its end was cut off')),
  ).toBe(true)
  await expect(forgetWitness(owner, tester, 'nobody')).rejects.toMatchObject({ code: 'not_found' })
  await forgetWitness(owner, tester, 'witness.example/w1')
  expect(await trustedWitnesses(worker, tester)).toEqual([])
})
