import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  auditLogs,
  forgetWitness,
  readLogHeads,
  serveWitness,
  standingAlarms,
  trustedWitnesses,
  trustWitness,
  verifierKeys,
  type WitnessServer,
  witnessKey,
} from '../../src/audit/index.ts'
import { COSIGNATURE_TYPE, formatVerifierKey, type Keyring, openKeyring } from '../../src/keys/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { ledgerTasks, systemStatus, verifyAndRecord } from '../../src/operations/index.ts'
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
  return task({ worker, actor: tester, signal, log, onProgress: () => undefined })
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
  const report = await verifyAndRecord(worker, tester, { keyring: ledger.keyring, store })
  expect(report.ok).toBe(true)
  expect(report.notes).toContainEqual(
    expect.stringMatching(/^the witness witness\.example\/w1 could not be queried: .*cannot be reached/),
  )
  await trustWitness(owner, tester, witness.url, witness.verifierKey)
})

describe('a witness that refuses what it is given', () => {
  /** Answers every submission alike, and publishes nothing. */
  async function stub(
    work: (requests: string[]) => Promise<void>,
    answer: (size: bigint) => [number, string],
  ) {
    const requests: string[] = []
    const server = createServer((request, response) => {
      void (async () => {
        if (request.method !== 'POST') return response.writeHead(404).end('not here\n')
        const body = await text(request)
        requests.push(body)
        const [status, answered] = answer(BigInt(body.split('\n\n')[1]?.split('\n')[1] ?? 0))
        return response.writeHead(status, { 'content-type': 'text/x.tlog.size' }).end(answered)
      })()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const stubKey = { name: 'witness.example/stub', publicKey: randomBytes(32) }
    await trustWitness(
      owner,
      tester,
      `http://127.0.0.1:${port}`,
      formatVerifierKey(stubKey, COSIGNATURE_TYPE),
    )
    try {
      await work(requests)
    } finally {
      server.closeAllConnections()
      server.close()
      await forgetWitness(owner, tester, stubKey.name)
    }
  }
  const conflicts = () => standingAlarms(worker, tester, ['witness_conflict'])
  const events = async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ severity: string; resource: string }>(
        `select severity, resource_id as resource from akashi_security.security_events
         where event_type = 'witness_conflict' order by created_at`,
      ),
    )
    return rows
  }

  it.each<[string, (size: bigint) => [number, string]]>([
    ['with the size that both have', (size) => [409, `${size}\n`]],
    ['with 409 and nothing else', () => [409, '']],
    ['with 409 and words', () => [409, 'conflict\n']],
    ['with 422', () => [422, 'another root\n']],
    ['with a larger size, which it keeps to', (size) => [409, `${size + 1000n}\n`]],
  ])('raises one alarm for a refusal %s', async (_, answer) => {
    const before = (await events()).length
    await stub(async (requests) => {
      for (let round = 0; round < 2; round += 1) {
        requests.length = 0
        await expect(publish()).rejects.toMatchObject({ code: 'integrity' })
        expect(requests.length).toBeLessThanOrEqual(3 * (await readLogHeads(worker, tester)).length)
      }
      const stood = await conflicts()
      expect(stood.map(({ subject }) => subject)).toContain('witness witness.example/stub, log audit_logs')
      // One event for each log, not one each minute.
      const raised = (await events()).slice(before)
      expect(raised).toHaveLength(stood.length)
      expect(raised[0]).toMatchObject({ severity: 'critical' })
      expect((await systemStatus(worker, tester)).witnessConflicts).toBe(stood.length)
    }, answer)
    await publish()
    expect(await conflicts()).toEqual([])
  })

  it('keeps the alarm while the witness is away, and takes a refusal of no meaning for being away', async () => {
    await stub(
      () => expect(publish()).rejects.toMatchObject({ code: 'integrity' }),
      () => [422, ''],
    )
    const key = formatVerifierKey(
      { name: 'witness.example/stub', publicKey: randomBytes(32) },
      COSIGNATURE_TYPE,
    )
    await trustWitness(owner, tester, 'http://127.0.0.1:9', key)
    await publish()
    expect((await conflicts()).length).toBeGreaterThan(0)
    await forgetWitness(owner, tester, 'witness.example/stub')
    await publish()
    await stub(
      () => publish().then(() => undefined),
      () => [404, 'unknown log\n'],
    )
    expect(await conflicts()).toEqual([])
  })
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
